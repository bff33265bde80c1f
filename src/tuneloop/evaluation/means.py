"""Figures that are a mean over rows: exact match, F1 of answers, recall of retrieved passages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuneloop.evaluation.intervals import Array

if TYPE_CHECKING:
    from tuneloop.data.examples import Label
    from tuneloop.tasks.base import FloatArray, Task


class Means:
    """The mean of each of the task's `row_figures`.

    Args:
        task: a task without classes.
        labels: the truth.
        scores: what the task decides by.
    """

    def __init__(self, task: Task, labels: Sequence[Label], scores: FloatArray) -> None:
        self._rows = {name: np.asarray(found, np.float64) for name, found in task.row_figures(labels, scores).items()}

    def joined(self, other: Means) -> Means:
        """The rows of both, one after the other."""
        both = Means.__new__(Means)
        both._rows = {name: np.concatenate([found, other._rows[name]]) for name, found in self._rows.items()}
        return both

    def values(self) -> dict[str, float]:
        """The mean of each figure."""
        return {name: float(found.mean()) for name, found in self._rows.items()}

    def resample(self, weights: Array) -> dict[str, Array]:
        """The weighted mean of each figure; weights (resamples, rows), figures (resamples,)."""
        return {name: weights @ found / weights.sum(axis=1) for name, found in self._rows.items()}
