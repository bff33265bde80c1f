"""What parameter-efficient methods share: few weights learn under a new head, the pretrained ones stay."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tuneloop.core.options import Options
from tuneloop.methods.base import Adapter, GradientMethod, ParameterGroup
from tuneloop.methods.full import LAYER, is_head
from tuneloop.models.pooling import mean_layer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


class AdaptationOptions(Options):
    """Options of every parameter-efficient method."""

    rate_scale: float = Field(
        10.0, gt=0, description="Learning rate of the adapted weights relative to training.learning_rate."
    )
    head_scale: float = Field(
        10.0, gt=0, description="Learning rate of the head, which starts from nothing, relative to the model under it."
    )


class Adaptation(GradientMethod):
    """A `GradientMethod` whose trained weights are the head and whatever `prepare` leaves trainable beside it."""

    learns_probabilities = True
    Options = AdaptationOptions
    options: AdaptationOptions

    def parameter_groups(self, model: PreTrainedModel) -> list[ParameterGroup]:
        groups: dict[tuple[float, bool], list[torch.nn.Parameter]] = defaultdict(list)
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                head = is_head(name, model)
                scale = self.options.head_scale if head else self.options.rate_scale
                groups[scale, parameter.ndim > 1].append(parameter)
        return [ParameterGroup(parameters, scale, decay) for (scale, decay), parameters in sorted(groups.items())]


class PeftOptions(AdaptationOptions):
    """Options of every method of the `peft` package."""

    keep: Literal["merged", "apart"] = Field(
        "merged",
        description="merged: added into the model's weights; apart: beside the pretrained model, which many can share.",
    )


class PeftMethod(Adaptation):
    """A method of the `peft` package whose weights can be added into those of the model."""

    Options = PeftOptions
    options: PeftOptions
    tuner: Any = None

    def __init__(self, options: PeftOptions) -> None:
        super().__init__(options)
        self.mergeable = options.keep == "merged"

    def attach(self, model: PreTrainedModel) -> Any:
        """The tuner of `peft` that has put its layers into the model, in place."""
        raise NotImplementedError

    def prepare(self, model: PreTrainedModel) -> None:
        self.tuner = self.attach(model)
        for name, parameter in model.named_parameters():
            if is_head(name, model):
                parameter.requires_grad_(True)

    def adapter(self, model: PreTrainedModel) -> Adapter:
        heads = {
            name.removeprefix(f"{model.base_model_prefix}.").split(".")[0]
            for name, _ in model.named_parameters()
            if is_head(name, model)
        }
        settings = self.tuner.peft_config["default"].to_dict()
        config = {name: sorted(value) if isinstance(value, set) else value for name, value in settings.items()}
        name, writes = type(model).__name__, "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM"
        config |= {
            "task_type": "TOKEN_CLS" if "TokenClassification" in name else "SEQ_CLS" if heads else writes,
            "modules_to_save": sorted(heads),
            "inference_mode": True,
        }
        tensors = {
            f"base_model.model.{name.replace('.default', '')}": parameter.detach().clone()
            for name, parameter in model.named_parameters()
            if parameter.requires_grad and not is_head(name, model)
        }
        return Adapter(config, tensors, tuple(sorted(heads)))

    def merge(self, model: PreTrainedModel) -> PreTrainedModel:
        merged: PreTrainedModel = self.tuner.merge_and_unload(safe_merge=True)
        return merged


def train_head_alone(model: PreTrainedModel) -> None:
    """Freeze all but the head; what a method adds after this learns beside it."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(is_head(name, model))


def linear_layers(model: PreTrainedModel, *, attention_only: bool = False) -> list[str]:
    """Full names of the linear layers inside the transformer layers, in order."""
    import torch
    from transformers.pytorch_utils import Conv1D

    found, pooling = [], mean_layer(model)
    aside = set() if pooling is None else set(pooling.modules())
    for name, module in model.named_modules():
        inside = LAYER.search(f".{name}.")
        if (
            inside
            and module not in aside
            and isinstance(module, torch.nn.Linear | Conv1D)
            and (not attention_only or "att" in name.lower())
        ):
            found.append(name)
    return found
