"""Equal frozen weights of several models in one process are held once: many adapters, one base."""

from __future__ import annotations

import hashlib
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

LEAST_BYTES = 1 << 14
"""Smaller weights are not worth the search."""

_known: dict[str, WeakSet[torch.nn.Parameter]] = {}
_lock = Lock()


def share_weights(model: PreTrainedModel) -> PreTrainedModel:
    """The model, in place, with the memory of equal weights that a living model of this process holds already.

    Equal is what has the same bytes, so no answer changes. Only for models that are no longer trained: a weight that
    changed would change in all of them. Memory goes back when the last model that uses it is gone.
    """
    for parameter in model.parameters():
        if parameter.requires_grad or parameter.nbytes < LEAST_BYTES:
            continue
        key = _content(parameter)
        with _lock:
            alike = _known.setdefault(key, WeakSet())
            other = next(iter(alike), None)
            if other is not None:
                parameter.data = other.data
            alike.add(parameter)
    with _lock:
        for key in [key for key, alike in _known.items() if not alike]:
            del _known[key]
    return model


def _content(parameter: torch.nn.Parameter) -> str:
    import torch

    plain = parameter.detach().cpu().contiguous()
    digest = hashlib.sha256(f"{plain.dtype}{tuple(plain.shape)}{parameter.device}".encode())
    digest.update(plain.flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
