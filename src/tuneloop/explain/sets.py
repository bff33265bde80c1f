"""Sets of units, and how much each counts in a fair share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    FloatArray = np.ndarray[Any, np.dtype[np.float64]]


def all_sets(size: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Every set of units, bool, (2^size, size); set number s holds unit i where bit i of s is 1."""
    return np.asarray((np.arange(1 << size)[:, None] >> np.arange(size)) & 1, dtype=bool)


def size_weights(size: int) -> FloatArray:
    """|S|! (n - |S| - 1)! / n! for |S| from 0 to n - 1, (n,)."""
    from scipy.special import binom

    return np.asarray(1 / (size * binom(size - 1, np.arange(size))))
