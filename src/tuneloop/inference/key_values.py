"""The keys and values of attention: of answers that are written side by side, and of beginnings that come again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Cache

Layers = list[tuple["Tensor", "Tensor"]]
"""Keys and values of each layer, (rows, heads, tokens, d)."""


class KeyValues:
    """Keys and values of several rows that end in the same column; shorter ones are padded on the left.

    `mask` is 1 where a token is, (rows, width).
    """

    def __init__(self) -> None:
        self.cache: Cache | None = None
        self.mask: Any = None

    @property
    def lengths(self) -> Tensor:
        """Tokens of each row, (rows,)."""
        lengths: Tensor = self.mask.sum(dim=1)
        return lengths

    def join(self, layers: Layers) -> None:
        """Add one row, (1, heads, tokens, d) a layer, below the others."""
        import torch

        tokens = layers[0][0].shape[-2]
        mask = torch.ones(1, tokens, dtype=torch.long, device=layers[0][0].device)
        if self.cache is None:
            self.cache, self.mask = _cache_of(layers), mask
            return
        width = max(tokens, self.mask.shape[1])
        joined = [
            tuple(torch.cat([_padded(old, width), _padded(new, width)]) for old, new in zip(layer, added, strict=True))
            for layer, added in zip(layers_of(self.cache), layers, strict=True)
        ]
        mask = torch.cat([_padded(self.mask[..., None], width), _padded(mask[..., None], width)])[..., 0]
        self.cache, self.mask = _cache_of(joined), mask  # type: ignore[arg-type]

    def keep(self, rows: Sequence[int]) -> None:
        """Let the other rows go, and the columns that none of the kept needs; `rows` are in ascending order."""
        import torch

        if self.cache is None or len(rows) == len(self.mask):
            return
        if not rows:
            self.cache = self.mask = None
            return
        chosen = torch.tensor(rows, device=self.mask.device)
        mask = self.mask[chosen]
        first = mask.shape[1] - int(mask.sum(dim=1).max())
        self._only(rows, slice(first, None), mask[:, first:])

    def cut(self, rows: int, width: int) -> None:
        """Keep the first rows and columns, also where a step has widened some layers alone; nothing is copied."""
        if not rows:
            self.cache = self.mask = None
            return
        self._only(range(rows), slice(width), self.mask[:rows, :width])

    def _only(self, rows: Sequence[int], columns: slice, mask: Tensor) -> None:
        for layer in self.cache.layers:  # type: ignore[union-attr]
            layer.keep(rows, columns)  # type: ignore[attr-defined]
        self.mask = mask

    def extend(self) -> Tensor:
        """Make room in the mask for one more token of every row; the new mask."""
        import torch

        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        return self.mask


class Prefixes:
    """Keys and values of recent prompts, for later prompts that begin with the same tokens, as with one instruction.

    The prompts that were used longest ago go first. Zheng et al., "SGLang" (2024), keep them as a tree; here they are
    few, so each stands for itself.

    Args:
        max_tokens: tokens that are kept at most; 0 keeps none.
        least: a shorter common beginning is computed anew, which costs little.
    """

    def __init__(self, max_tokens: int, *, least: int = 16) -> None:
        self.max_tokens, self.least = max_tokens, least
        self.tokens = 0
        self._kept: OrderedDict[tuple[int, ...], tuple[Any, Layers]] = OrderedDict()

    def find(self, prompt: Sequence[int]) -> tuple[int, Layers]:
        """How many of the first tokens are known, never all, and their keys and values; 0 and none if too few are."""
        ids = np.asarray(prompt)
        best, length = None, self.least - 1
        for key, (known, _) in self._kept.items():
            common = min(_common(ids, known), len(ids) - 1)
            if common > length:
                best, length = key, common
        if best is None:
            return 0, []
        self._kept.move_to_end(best)
        return length, [(keys[:, :, :length], values[:, :, :length]) for keys, values in self._kept[best][1]]

    def add(self, prompt: Sequence[int], layers: Layers) -> None:
        """Keep the keys and values of a prompt; they are not changed afterwards by anyone."""
        key, ids = tuple(prompt), np.asarray(prompt)
        if not self.least <= len(key) <= self.max_tokens or key in self._kept:
            return
        for other in [other for other, (known, _) in self._kept.items() if _common(ids, known) == len(other)]:
            self._drop(other)  # a beginning of this one
        self._kept[key] = ids, layers
        self.tokens += len(key)
        while self.tokens > self.max_tokens:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: tuple[int, ...]) -> None:
        del self._kept[key]
        self.tokens -= len(key)


def _common(one: Any, other: Any) -> int:
    """Tokens at the beginning of both."""
    shorter = min(len(one), len(other))
    different = np.flatnonzero(one[:shorter] != other[:shorter])
    return int(different[0]) if len(different) else shorter


def prefill_cache(layers: Layers) -> Cache:
    """The cache that a prompt is read into, behind a beginning that is known."""
    from transformers import DynamicCache

    return DynamicCache(list(layers)) if layers else DynamicCache()


def layers_of(cache: Any) -> Layers:
    """Keys and values of each layer."""
    return [(layer.keys, layer.values) for layer in cache.layers]


def _cache_of(layers: Layers) -> Cache:
    from transformers import Cache

    from tuneloop.inference.roomy_layer import RoomyLayer

    return Cache(layers=[RoomyLayer(keys, values) for keys, values in layers])


def _padded(part: Tensor, width: int) -> Tensor:
    """(..., tokens, d) as (..., width, d), zero on the left."""
    import torch

    return torch.nn.functional.pad(part, (0, 0, width - part.shape[-2], 0))
