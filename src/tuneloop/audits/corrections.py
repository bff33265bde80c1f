"""Many tests at once: p-values that hold for all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def holm(p: Sequence[float]) -> Array:
    """Adjusted p-values, (tests,): the chance of even one false find (Holm 1979)."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    adjusted = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    found = np.empty_like(values)
    found[order] = np.minimum(adjusted, 1.0)
    return found


def benjamini_hochberg(p: Sequence[float] | Array) -> Array:
    """Adjusted p-values, the shape of `p`: the share of false finds among all finds (Benjamini and Hochberg 1995)."""
    from scipy.stats import false_discovery_control

    values = np.asarray(p, dtype=np.float64)
    return np.asarray(false_discovery_control(values.ravel())).reshape(values.shape) if values.size else values
