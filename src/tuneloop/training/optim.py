"""The optimiser of a run, over the parameter groups of its method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import MissingExtraError
from tuneloop.training.distributed.pieces import cut, in_pieces

if TYPE_CHECKING:
    import torch

    from tuneloop.core.config import TrainingConfig
    from tuneloop.methods.base import ParameterGroup


def create_optimizer(groups: Sequence[ParameterGroup], config: TrainingConfig) -> torch.optim.Optimizer:
    """AdamW, Adam or SGD. The fused kernels update every weight in one pass over memory.

    adamw_8bit keeps both moments of large weights in 8 bits, block by block (Dettmers et al., "8-bit Optimizers via
    Block-wise Quantization", 2022), as in bitsandbytes: two bytes a weight instead of eight.

    Raises:
        MissingExtraError: for adamw_8bit without bitsandbytes.
    """
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
    if config.optimizer == "adamw_8bit":
        return _eight_bits()(settings)
    if config.optimizer == "sgd":
        whole = not any(in_pieces(each) for group in groups for each in group.parameters)  # DTensor has no fused SGD
        return torch.optim.SGD(settings, momentum=config.momentum, fused=whole)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(settings, fused=True)


def check(config: TrainingConfig) -> None:
    """Nothing, if the optimiser is there.

    Raises:
        MissingExtraError: if its package is not installed.
    """
    if config.optimizer == "adamw_8bit":
        _eight_bits()


def state_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """All that the optimiser remembers of its weights, by the weight's number and a name."""
    import torch

    found = {}
    for number, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():  # bitsandbytes keeps some a level deeper, and counts steps in a plain number
            parts = {f"{key}/{name}": part for name, part in value.items()} if isinstance(value, dict) else {key: value}
            found |= {f"{number}.{name}": torch.as_tensor(part) for name, part in parts.items() if part is not None}
    return found


def load_state(optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """Go on from what `state_tensors` gave, all of it whole."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition(".")
        place, (key, _, inner) = state.setdefault(int(number), {}), key.partition("/")
        if inner:
            place = place.setdefault(key, {})
        number_itself = not tensor.is_floating_point() and tensor.ndim == 0
        place[inner or key] = int(tensor) if number_itself else cut(tensor, weights[int(number)])
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _eight_bits() -> Any:
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError:
        raise MissingExtraError("bitsandbytes", "quantized") from None
    return AdamW8bit


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Give every group its peak rate times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
