"""The optimiser of a run, over the parameter groups of its method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from tuneloop.core.config import TrainingConfig
    from tuneloop.methods.base import ParameterGroup


def create_optimizer(groups: Sequence[ParameterGroup], config: TrainingConfig) -> torch.optim.Optimizer:
    """AdamW, Adam or SGD. The fused kernels update every weight in one pass over memory."""
    import torch

    settings = [
        {
            "params": group.parameters,
            "lr": config.learning_rate * group.scale,
            "peak": config.learning_rate * group.scale,
            "weight_decay": config.weight_decay if group.decay else 0.0,
        }
        for group in groups
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(settings, momentum=config.momentum, fused=True)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(settings, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Give every group its peak rate times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
