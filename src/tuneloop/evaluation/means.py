"""Figures that are a mean over rows, such as exact match, or a ratio of sums, such as a share of all words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tuneloop.evaluation.intervals import Array


class Means:
    """The mean of each figure.

    Args:
        rows: figures of each row, (n,) each, such as a task's `row_figures`.
        counts: how much each row counts, (n,); None: all alike.
    """

    def __init__(self, rows: Mapping[str, Any], counts: Any = None) -> None:
        self._rows = {name: np.asarray(found, np.float64) for name, found in rows.items()}
        self._counts = np.ones(len(next(iter(self._rows.values()), ()))) if counts is None else np.asarray(counts)

    def joined(self, other: Means) -> Means:
        """The rows of both, one after the other."""
        rows = {name: np.concatenate([found, other._rows[name]]) for name, found in self._rows.items()}
        return Means(rows, np.concatenate([self._counts, other._counts]))

    def values(self) -> dict[str, float]:
        """The mean of each figure."""
        return {name: float(np.average(found, weights=self._counts)) for name, found in self._rows.items()}

    def resample(self, weights: Array) -> dict[str, Array]:
        """The weighted mean of each figure; weights (resamples, rows), figures (resamples,)."""
        total = weights @ self._counts
        return {name: weights @ (self._counts * found) / total for name, found in self._rows.items()}


class Ratios:
    """The sum of the tops by the sum of the bottoms, of each figure; NaN where there is nothing to divide by.

    Args:
        rows: top and bottom of each row, two of (n,), by the name of the figure.
    """

    def __init__(self, rows: Mapping[str, tuple[Any, Any]]) -> None:
        self._names = list(rows)
        self._tops, self._bottoms = (np.array([each[side] for each in rows.values()], np.float64).T for side in (0, 1))

    def values(self) -> dict[str, float]:
        """Each figure of the rows as they are."""
        return {name: float(found[0]) for name, found in self.resample(np.ones((1, len(self._tops)))).items()}

    def resample(self, weights: Array) -> dict[str, Array]:
        """Each figure of each resample; weights (resamples, rows), figures (resamples,)."""
        tops, bottoms = weights @ self._tops, weights @ self._bottoms
        with np.errstate(divide="ignore", invalid="ignore"):
            return dict(zip(self._names, np.where(bottoms > 0, tops / bottoms, np.nan).T, strict=True))
