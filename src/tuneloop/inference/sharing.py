"""Equal frozen weights of several models in one process are held once: many adapters, one base."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

LEAST_BYTES = 1 << 14
"""Smaller weights are not worth the search."""

GLANCE = 64
"""Values that weights are looked up by; only those that agree in them are compared byte by byte."""

Key = tuple[Any, ...]
_known: dict[Key, WeakSet[torch.nn.Parameter]] = {}
_lock = Lock()


def share_weights(model: PreTrainedModel) -> PreTrainedModel:
    """The model, in place, with the memory of equal weights that a living model of this process holds already.

    Equal is what has the same bytes, so no answer changes. Only for models that are no longer trained: a weight that
    changed would change in all of them. Memory goes back when the last model that uses it is gone.
    """
    with _lock:
        for parameter in model.parameters():
            if parameter.requires_grad or parameter.nbytes < LEAST_BYTES:
                continue
            alike = _known.setdefault(_glance(parameter), WeakSet())
            equal = next((other for other in alike if _same_bytes(other, parameter)), None)
            if equal is not None:
                parameter.data = equal.data
            alike.add(parameter)
        for key in [key for key, alike in _known.items() if not alike]:
            del _known[key]
    return model


def _glance(parameter: torch.nn.Parameter) -> Key:
    first = _bytes(parameter.detach().flatten()[:GLANCE]).cpu().numpy().tobytes()
    return parameter.dtype, tuple(parameter.shape), parameter.device, first


def _same_bytes(one: torch.nn.Parameter, other: torch.nn.Parameter) -> bool:
    import torch

    return one.data_ptr() == other.data_ptr() or torch.equal(_bytes(one.detach()), _bytes(other.detach()))


def _bytes(values: torch.Tensor) -> torch.Tensor:
    """The values as they lie in memory; unlike them, bytes tell 0 from -0, and NaN equals itself."""
    import torch

    return values.contiguous().flatten().view(torch.uint8)
