"""Full fine-tuning: every weight moves, or all but the first layers."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from pydantic import Field

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.options import Options
from tuneloop.methods.base import GradientMethod, ParameterGroup
from tuneloop.models.load import has_new_head
from tuneloop.models.pooling import mean_layer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

LAYER = re.compile(r"\.(?:layers?|h|block)\.(\d+)\.")


class FullOptions(Options):
    """Options of full fine-tuning."""

    frozen_layers: int = Field(0, ge=0, description="First layers that keep their weights (and then the embeddings).")
    freeze_embeddings: bool = Field(False, description="Keep the embeddings as they are.")
    layer_decay: float = Field(1.0, gt=0, le=1, description="Learning rate of a layer relative to the layer above it.")
    head_scale: float = Field(
        10.0, gt=0, description="Learning rate of the head, which starts from nothing, relative to the model under it."
    )


class FullFineTuning(GradientMethod):
    """Every weight is trained; the new head learns faster, and lower layers may learn more slowly.

    Layer-wise decay: Howard and Ruder, "Universal Language Model Fine-tuning" (2018), section 3.2:
    layer l of L learns with rate x decay^(L + 1 - l); embeddings are layer 0, what is above has the full rate.
    """

    name = "full"
    writes = True
    learns_probabilities = True
    Options = FullOptions
    options: FullOptions

    def prepare(self, model: PreTrainedModel) -> None:
        layers = depth(model)
        if self.options.frozen_layers > layers:
            raise ConfigError(
                t(
                    "method.frozen_layers is {given}, but the model has {layers} layers.",
                    given=self.options.frozen_layers,
                    layers=layers,
                ),
                t("Choose a number from 0 to {layers}.", layers=layers),
            )
        embeddings_too = self.options.freeze_embeddings or self.options.frozen_layers > 0
        for name, parameter in model.named_parameters():
            level = level_of(name, layers)
            frozen = (level == 0 and embeddings_too) or 0 < level <= self.options.frozen_layers
            parameter.requires_grad_(not frozen)
        if (pooling := mean_layer(model)) is not None:
            pooling.requires_grad_(False)

    def parameter_groups(self, model: PreTrainedModel) -> list[ParameterGroup]:
        layers = depth(model)
        groups: dict[tuple[float, bool], list[torch.nn.Parameter]] = defaultdict(list)
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                scale = self.options.layer_decay ** (layers + 1 - level_of(name, layers))
                if is_head(name, model):
                    scale = self.options.head_scale
                groups[scale, parameter.ndim > 1].append(parameter)
        return [
            ParameterGroup(parameters, scale, decay)
            for (scale, decay), parameters in sorted(groups.items(), key=lambda item: item[0])
        ]


def is_head(name: str, model: PreTrainedModel) -> bool:
    """Whether a parameter belongs to the new part on the pretrained model: the pooler and all that follows.

    Of a fused model so do encoders that learn from nothing.
    """
    if not has_new_head(model):
        return False
    if name.startswith(tuple(f"{model.base_model_prefix}.{kind}." for kind in getattr(model.config, "drawn", ()))):
        return True
    return not name.startswith(f"{model.base_model_prefix}.") or ".pooler." in name


def depth(model: PreTrainedModel) -> int:
    """How many transformer layers the model has, without one that only takes the mean."""
    numbers = [int(found[1]) for name, _ in model.named_parameters() if (found := LAYER.search(name))]
    return max(numbers, default=-1) + 1 - (mean_layer(model) is not None)


def level_of(name: str, layers: int) -> int:
    """0 for embeddings, 1 to `layers` for the transformer layers, `layers` + 1 for what is above."""
    found = LAYER.search(name)
    if found:
        return int(found[1]) + 1
    return 0 if any(part in name for part in ("embed", ".wte.", ".wpe.", "shared.")) else layers + 1
