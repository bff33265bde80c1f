"""The old and the new weights mixed, in the shares that are best on dev of old and new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.methods.base import Adapter
    from tuneloop.methods.split import Split
    from tuneloop.tasks.base import Task

SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Of the new weights. Of equals the first is taken, which has most of what was learnt."""


def average(
    model: PreTrainedModel, old: Mapping[str, torch.Tensor], task: Task, dev: Split, precision: str
) -> dict[str, Any]:
    """Give the model share x new + (1 - share) x old; what was tried and chosen.

    Wortsman et al., "Robust fine-tuning of zero-shot models" (WiSE-FT, 2022), section 3. After low-rank training it is
    the share of this period's adapter that is merged. Outputs for new classes have no old weights and stay.

    Args:
        model: merged, with the new weights.
        old: the old weights by the same names; a last layer may have fewer outputs.
    """
    new = {name: value.detach().clone() for name, value in model.state_dict().items() if value.is_floating_point()}
    figure = task.selects_by
    tried = []
    for share in SHARES:
        _mix(model, new, old, share)
        tried.append(task.judge(model, dev.tokens, dev.labels, dev.inputs, precision)[figure])
    best = max(range(len(SHARES)), key=lambda number: tried[number])
    _mix(model, new, old, SHARES[best])
    shown = {f"{share:g}": value for share, value in zip(SHARES, tried, strict=True)}
    return {"new_share": SHARES[best], "tried": {figure: shown}}


def scaled(adapter: Adapter, share: float) -> Adapter:
    """The low-rank step of a period as it was merged, where only a share of it was."""
    if share == 1:
        return adapter
    return replace(
        adapter, tensors={name: value * share if "lora_B" in name else value for name, value in adapter.tensors.items()}
    )


def _mix(
    model: PreTrainedModel, new: Mapping[str, torch.Tensor], old: Mapping[str, torch.Tensor], share: float
) -> None:
    import torch

    state = model.state_dict()
    with torch.no_grad():
        for name, value in new.items():
            state[name].copy_(value)
            if name in old and value.ndim:
                part = state[name][: len(old[name])]
                part.copy_(torch.lerp(old[name].to(value.device, value.dtype), value[: len(part)], share))
