"""Weights that lie in pieces, one in each process (torch's DTensor), and whole ones, handled alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def in_pieces(tensor: torch.Tensor) -> bool:
    """Whether this process has only a piece of it."""
    return hasattr(tensor, "full_tensor")


def own(tensor: Any) -> torch.Tensor:
    """What this process has of it, the same memory."""
    piece: torch.Tensor = tensor.to_local() if in_pieces(tensor) else tensor
    return piece


def whole(tensor: Any) -> torch.Tensor:
    """All of it; where it lies in pieces, every process must ask for it at once."""
    full: torch.Tensor = tensor.full_tensor() if in_pieces(tensor) else tensor
    return full


def cut(values: torch.Tensor, pattern: Any) -> torch.Tensor:
    """Values that are whole in every process, in pieces where `pattern` is and has their shape."""
    if not in_pieces(pattern) or values.shape != pattern.shape:
        return values
    from torch.distributed.tensor import distribute_tensor

    values = values.to(pattern.device)
    # nothing is sent; a copy, so that a piece does not hold on to the whole
    return distribute_tensor(values, pattern.device_mesh, pattern.placements, src_data_rank=None).clone()


def put(target: torch.Tensor, values: torch.Tensor) -> None:
    """Give a tensor these values, which are whole in every process."""
    own(target.detach()).copy_(own(cut(values, target)))
