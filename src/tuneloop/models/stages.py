"""An encoder run in stages: first the layers up to one, then those up to the next, of the texts that go on alone.

Each stage is the model itself with some of its layers, and shares its weights. So masks, attention and head are those
of transformers, and texts that go through all stages together have the answers of the whole model to the last bit.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.models.first_token import encoder_layers, is_like_bert, sample_batch
from tuneloop.models.forward import reading_batches, to_tensors
from tuneloop.models.pooling import own_layers

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.data.tokens import Tokens

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]


class Stages:
    """A model, ready to answer, that stops after some of its layers.

    Args:
        model: read alone from now on; its modules stay as they are.
        layers: after which it stops, from 1, ascending; the last stage goes to the end.

    Raises:
        ConfigError: if it has no such layers, or something beside them that its answers hang on.
    """

    def __init__(self, model: PreTrainedModel, layers: Sequence[int]) -> None:
        check_layers(model, layers)
        every = encoder_layers(model)
        ends = [*layers, len(every)]
        self._parts = [
            _part(model, every[begin:end], is_first=not begin) for begin, end in zip([0, *layers], ends, strict=True)
        ]
        if not self._answers_as(model):
            raise ConfigError(
                t("The layers of this model cannot be run one after the other."),
                t("Leave release.exits.layers out, or take an encoder built like BERT."),
            )

    def states(self, number: int, given: dict[str, torch.Tensor]) -> torch.Tensor:
        """What stage `number`, from 0, but for the last, makes of `given`, (batch, tokens, hidden).

        Args:
            given: the tensors of a batch for the first stage; `following` of the stage before for any other.
        """
        found: torch.Tensor = self._parts[number].base_model(**given)[0]
        return found

    def logits(self, given: dict[str, torch.Tensor]) -> torch.Tensor:
        """What the last stage answers, (batch, outputs)."""
        found: torch.Tensor = self._parts[-1](**given).logits
        return found

    def _answers_as(self, model: PreTrainedModel) -> bool:
        """Whether the stages together are the model: not guessed from its name, but tried."""
        import torch

        given = sample_batch(model)
        with torch.inference_mode():
            expected, mask = model(**given).logits, given["attention_mask"]
            try:
                for number in range(len(self._parts) - 1):
                    given = following(self.states(number, given), mask)
                found = self.logits(given)
            except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):  # something between the layers
                return False
        return found.shape == expected.shape and torch.allclose(found, expected, atol=1e-4)


def check_layers(model: PreTrainedModel, layers: Sequence[int]) -> None:
    """Nothing, if texts could leave a model after these layers.

    Raises:
        ConfigError: if not.
    """
    own = own_layers(model)
    if not own or not all(map(is_like_bert, own)):
        raise ConfigError(
            t("release.exits needs an encoder built like BERT, and {kind} is none.", kind=type(model).__name__),
            t("Leave release.exits.layers out, or choose another model.source."),
        )
    if list(layers) != sorted(set(layers)) or not all(0 < layer < len(own) for layer in layers):
        raise ConfigError(
            t("release.exits.layers is {given}, but the model has {layers} layers.", given=list(layers),
              layers=len(own)),
            t("Name layers from 1 to {last}, ascending; behind the last one the whole model answers.",
              last=len(own) - 1),
        )  # fmt: skip


def following(states: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """What a stage is given that goes on from the states of the one before."""
    return {"inputs_embeds": states, "attention_mask": mask}


def token_means(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean over the tokens that are no padding: (batch, tokens, hidden) and (batch, tokens) to (batch, hidden)."""
    weights = mask[..., None].to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)


def means_at_exits(model: PreTrainedModel, layers: Sequence[int], tokens: Tokens) -> FloatArray:
    """`token_means` behind each of these layers for each text, (layers, n, hidden)."""
    import torch

    stages = Stages(model, layers)
    found = np.zeros((len(layers), len(tokens), model.config.hidden_size), np.float32)
    for rows in reading_batches(tokens.sizes):
        given = to_tensors(model, tokens, rows)
        mask = given["attention_mask"]
        with torch.inference_mode():
            for number in range(len(layers)):
                states = stages.states(number, given)
                found[number, rows] = token_means(states, mask).float().cpu().numpy()
                given = following(states, mask)
    return found


def _part(model: PreTrainedModel, layers: Any, *, is_first: bool) -> PreTrainedModel:
    """The model with these layers alone; all but the first stage take states in the place of tokens."""
    import torch

    base = model.base_model
    changed = {"encoder": _with(base.encoder, layer=torch.nn.ModuleList(layers))}
    if not is_first:
        changed["embeddings"] = _passing()
    part: PreTrainedModel = _with(model, **{model.base_model_prefix: _with(base, **changed)})
    return part


def _with(module: Any, **children: Any) -> Any:
    """A copy of a module that shares all but these children."""
    made = copy.copy(module)
    made._modules = module._modules | children
    return made


def _passing() -> torch.nn.Module:
    """Stands in for embeddings, and gives back the states that it is given."""
    import torch

    given = torch.nn.Identity()
    given.forward = lambda *_, inputs_embeds, **__: inputs_embeds  # type: ignore[assignment,method-assign]
    return given
