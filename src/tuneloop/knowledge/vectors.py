"""Vectors of texts in a quarter of their size: one signed byte a number, and a scale for each vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

FloatArray = np.ndarray[Any, np.dtype[np.float32]]
BytesArray = np.ndarray[Any, np.dtype[np.int8]]

LARGEST = 127
BLOCK = 8192
"""Vectors that are made floats at once."""


class Embedder(Protocol):
    """Texts to vectors of length 1, float32, (n, dimensions)."""

    identity: str
    """Names the model and all that its vectors depend on; vectors of another identity are never compared."""

    def __call__(self, texts: Sequence[str], /) -> FloatArray: ...

    def known(self, text: str, /) -> float:
        """The share of a text's tokens that the model knows, 0 to 1: what it reads as "unknown" has no meaning."""


class Packed(NamedTuple):
    """Vectors as bytes: row by row, `values` times `scales`."""

    values: BytesArray
    scales: FloatArray


def pack(vectors: FloatArray) -> Packed:
    """The nearest bytes: the largest number of each vector becomes 127."""
    scales = np.abs(vectors).max(axis=1, initial=0).astype(np.float32) / LARGEST
    values = np.rint(vectors / np.maximum(scales, 1e-12)[:, None])
    return Packed(values.astype(np.int8), scales)


def products(packed: Packed, vector: FloatArray) -> FloatArray:
    """The product of every vector with one, float32, (n,): exact but for the rounding to bytes.

    In one thread: those of a BLAS would still hold the cores when the embedding model wants them for the next question.
    """
    found = np.empty(len(packed.scales), np.float32)
    for start in range(0, len(found), BLOCK):
        rows = slice(start, start + BLOCK)
        found[rows] = np.einsum("ij,j->i", packed.values[rows].astype(np.float32), vector) * packed.scales[rows]
    return found
