"""How far trained weights have moved from where they were, trained themselves or moved by low-rank steps."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.methods.full import is_head
from tuneloop.models.load import head_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

LOW_RANK = (".lora_A.", ".lora_B.", ".lora_E.")


@dataclass(frozen=True)
class Moved:
    """A weight that training moves.

    Args:
        name: of the parameter in the model.
        weight: the parameter; under a low-rank step the frozen one.
        start: its values before training, of those outputs alone that are not new; None under a low-rank step.
        step: the layer of `peft` whose low-rank step moves it; None for a parameter that is trained itself.
    """

    name: str
    weight: torch.nn.Parameter
    start: torch.Tensor | None
    step: Any = None

    @property
    def difference(self) -> torch.Tensor:
        """Where it is now minus where it was, with its gradient."""
        if self.start is None:
            moved: torch.Tensor = self.step.get_delta_weight("default")
            return moved
        return self.weight[: len(self.start)] - self.start


def moving(model: PreTrainedModel, *, known: Collection[str], old_outputs: int) -> list[Moved]:
    """Every weight that training moves and that has an old value; to be asked before the first step.

    Args:
        known: names of the parameters before the method has changed the model.
        old_outputs: outputs of the last layer that are not new; 0 where all that is above the pretrained model is.

    Raises:
        ConfigError: if the method trains weights that no old value belongs to.
    """
    found, head = [], {id(parameter) for parameter in head_of(model).parameters()}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad or any(part in f"{name}." for part in LOW_RANK):
            continue
        if name not in known:
            raise ConfigError(
                t("EWC and L2-SP hold old weights, and {name} is a weight that the method adds.", name=name),
                t("Choose method: full, bitfit or lora without dora, or set continual.ewc and continual.l2_sp to 0."),
            )
        if not old_outputs and is_head(name, model):
            continue
        rows = old_outputs if id(parameter) in head else len(parameter)
        found.append(Moved(name, parameter, parameter.detach()[:rows].clone()))
    return [*found, *_low_rank(model)]


def _low_rank(model: PreTrainedModel) -> Iterator[Moved]:
    for name, module in model.named_modules():
        if hasattr(module, "get_delta_weight") and getattr(module, "lora_A", None):
            yield Moved(f"{name}.weight", module.get_base_layer().weight, None, module)
