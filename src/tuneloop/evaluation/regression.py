"""Figures of regression: R2, mean absolute error, root mean square error, correlations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuneloop.evaluation.intervals import Array

if TYPE_CHECKING:
    from tuneloop.data.examples import Label
    from tuneloop.tasks.base import FloatArray, Task

NOTHING = 1e-9
"""A sum of squares of standardised values below this is rounding, not variation."""


class Numbers:
    """The number that was meant and the number that was given, row by row.

    Args:
        task: a regression task.
        labels: the truth.
        scores: answers (n, 1), in the units of the labels.
    """

    def __init__(self, task: Task, labels: Sequence[Label], scores: FloatArray) -> None:
        self.task, self.labels, self.scores = task, labels, scores
        self.meant = np.array(labels, dtype=np.float64)
        self.given = scores[:, 0].astype(np.float64)

    def values(self) -> dict[str, float]:
        """The task's own headline figures."""
        return self.task.metrics(self.labels, self.scores)

    def resample(self, weights: Array) -> dict[str, Array]:
        """The figures of each resample; weights (resamples, rows), figures (resamples,)."""
        error = self.given - self.meant
        rows = weights.sum(axis=1)
        # sums of squares lose nothing once the numbers are standardised
        total, spread, shared = _moments(weights, _standard(self.meant), _standard(self.given))
        squares, varies = weights @ error**2, total > NOTHING
        return {
            "r2": np.where(varies, 1 - squares / np.where(varies, total * self.meant.var(), 1), 0.0),
            "mae": weights @ np.abs(error) / rows,
            "rmse": np.sqrt(squares / rows),
            "pearson": _correlation(total, spread, shared),
            "spearman": self._spearman(weights),
        }

    def _spearman(self, weights: Array) -> Array:
        meant, given = _ranks(self.meant, weights), _ranks(self.given, weights)
        rows = weights.sum(axis=1, keepdims=True)
        for ranks in (meant, given):
            ranks -= (rows + 1) / 2  # the mean of all ranks
        totals = [np.einsum("ij,ij,ij->i", weights, a, b) for a, b in ((meant, meant), (given, given), (meant, given))]
        return _correlation(*totals)


def _standard(values: Array) -> Array:
    """The values with mean 0 and standard deviation 1; all 0 if they do not vary."""
    if not np.ptp(values):  # rounding makes a deviation of them too
        return np.zeros(values.shape)
    return np.asarray((values - values.mean()) / values.std())


def _moments(weights: Array, a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Weighted sums of squares of a, of b, and of their product, around their weighted means; (resamples,) each."""
    rows = weights.sum(axis=1)
    sum_a, sum_b, aa, bb, ab = (weights @ np.stack([a, b, a * a, b * b, a * b], axis=1)).T
    return aa - sum_a**2 / rows, bb - sum_b**2 / rows, ab - sum_a * sum_b / rows


def _ranks(values: Array, weights: Array) -> Array:
    """Rank of each row within each resample, equal values sharing the mean rank; (resamples, rows)."""
    different, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(different)))
    at_value = np.add.reduceat(weights[:, order], starts, axis=1)
    middle = np.cumsum(at_value, axis=1) - at_value / 2 + 0.5
    return np.ascontiguousarray(middle[:, place])


def _correlation(aa: Array, bb: Array, ab: Array) -> Array:
    """Pearson's r; 0 where one side does not vary, as in `Regression.metrics`."""
    scale = np.sqrt(np.maximum(aa, 0) * np.maximum(bb, 0))
    return np.asarray(np.clip(np.divide(ab, scale, out=np.zeros_like(ab), where=scale > NOTHING), -1, 1))
