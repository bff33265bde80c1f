"""Figures that are a mean over rows: exact match, F1 of answers, recall of retrieved passages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tuneloop.evaluation.intervals import Array


class Means:
    """The mean of each figure.

    Args:
        rows: figures of each row, (n,) each, such as a task's `row_figures`.
    """

    def __init__(self, rows: Mapping[str, Any]) -> None:
        self._rows = {name: np.asarray(found, np.float64) for name, found in rows.items()}

    def joined(self, other: Means) -> Means:
        """The rows of both, one after the other."""
        return Means({name: np.concatenate([found, other._rows[name]]) for name, found in self._rows.items()})

    def values(self) -> dict[str, float]:
        """The mean of each figure."""
        return {name: float(found.mean()) for name, found in self._rows.items()}

    def resample(self, weights: Array) -> dict[str, Array]:
        """The weighted mean of each figure; weights (resamples, rows), figures (resamples,)."""
        return {name: weights @ found / weights.sum(axis=1) for name, found in self._rows.items()}
