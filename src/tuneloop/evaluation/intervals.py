"""Bootstrap intervals: how far a figure could move with another test set of the same kind and size.

A resample is not a list of rows but a weight per row: how often it was drawn. Metrics that are functions of
weighted sums (F1, MCC, R2, ECE, Brier) then come from one matrix product for all resamples at once. See Efron and
Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13, for the percentile interval.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Statistic = Callable[[Array], Mapping[str, Array]]
"""Weights (resamples, rows) to figures: name to (resamples,) or (resamples, classes)."""

LEVEL = 0.95
CHUNK = 4_000_000
"""Weights held in memory at a time, 8 bytes each."""

NEVER_BELOW_TRUTH = frozenset({"ece"})
"""Figures that chance can only raise. A resample raises them a second time, so their interval is turned around."""


@dataclass(frozen=True)
class Figure:
    """A metric and its 95 % interval; the bounds are NaN where they could not be computed."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        """Plain JSON; None for what is not a number."""
        return {"value": finite(self.value), "low": finite(self.low), "high": finite(self.high)}


def finite(value: float) -> float | None:
    """`value`, or None where JSON has no number for it."""
    return float(value) if np.isfinite(value) else None


def draws(rows: int, *, resamples: int, seed: int) -> Iterator[Array]:
    """Bootstrap weights in chunks, float64, (resamples of the chunk, rows); each row of them sums to `rows`."""
    random = np.random.default_rng(seed)
    step = max(1, CHUNK // rows)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        picked = random.integers(0, rows, (size, rows)) + rows * np.arange(size)[:, None]
        yield np.bincount(picked.ravel(), minlength=size * rows).reshape(size, rows).astype(np.float64)


def bootstrap(statistic: Statistic, *, rows: int, resamples: int, seed: int) -> dict[str, Array]:
    """The figures of every resample: name to (resamples,) or (resamples, classes)."""
    parts = [statistic(weights) for weights in draws(rows, resamples=resamples, seed=seed)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def interval(samples: Array, *, level: float = LEVEL) -> tuple[Array, Array]:
    """The central 95 % (or `level`) of the resamples, percentile method; NaN resamples do not count.

    Returns:
        Lower and upper bounds, of shape () or (classes,).
    """
    tail = 100 * (1 - level) / 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="All-NaN slice")
        low, high = np.nanpercentile(samples, [tail, 100 - tail], axis=0)
    return low, high


def figure(name: str, value: float, samples: Array) -> Figure:
    """The metric `name` with the interval that its resamples (resamples,) give.

    For a figure of `NEVER_BELOW_TRUTH` it is the basic interval (Efron and Tibshirani, section 13.4, "the other
    percentile method"), cut at 0 and made to hold the value.
    """
    low, high = map(float, interval(samples))
    if name in NEVER_BELOW_TRUTH:
        low, high = max(0.0, min(value, 2 * value - high)), max(value, 2 * value - low)
    return Figure(value, low, high)
