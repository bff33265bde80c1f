"""A classifier that was trained, with outputs for more classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneloop.models.load import describe_outputs, head_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.models.load import Outputs


def grow(model: PreTrainedModel, task: Outputs) -> None:
    """Give the last layer an output for each class that is new, behind the old ones, whose logits stay as they are."""
    import torch

    old = head_of(model)
    new = torch.nn.Linear(old.in_features, task.outputs, bias=old.bias is not None)
    with torch.no_grad():
        new.weight.normal_(std=float(getattr(model.config, "initializer_range", 0.02)))
        new.weight[: old.out_features] = old.weight
        if old.bias is not None:
            new.bias.zero_()
            new.bias[: old.out_features] = old.bias
    place = next(name for name, module in model.named_modules() if module is old)
    parent, _, last = place.rpartition(".")
    setattr(model.get_submodule(parent), last, new)
    describe_outputs(model.config, task, None)
    model.num_labels = task.outputs  # type: ignore[assignment]
