"""Can a probability be taken at its word? ECE, Brier score and the data of a reliability plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.evaluation.intervals import Array

if TYPE_CHECKING:
    from tuneloop.data.examples import Label
    from tuneloop.tasks.base import FloatArray, Task

BINS = 15


class Calibration:
    """What was promised and what came true, in bins of equal width.

    Single-label tasks are measured by the probability of the answer that was given (top label), as in Guo et al.,
    "On Calibration of Modern Neural Networks" (2017), equation 3 with 15 bins. Multi-label tasks are measured by
    every decision apart: the probability of each class against whether it was there.

    The Brier score is the sum over classes of (probability - truth) squared (Brier 1950), from 0 to 2, for three
    classes or more; half of that for two (as in scikit-learn); and the mean over decisions for multi-label tasks.

    Args:
        task: a task with classes.
        labels: the truth.
        scores: probabilities (n, classes).
    """

    def __init__(self, task: Task, labels: Sequence[Label], scores: FloatArray) -> None:
        meant, scores = task.indicator(labels), scores.astype(np.float64)
        self.per_decision = task.problem_type == "multi_label_classification"
        if self.per_decision:
            self.promised, self.came_true = scores, meant
            self.brier = ((scores - meant) ** 2).mean(axis=1)
        else:
            top = scores.argmax(axis=1)[:, None]
            self.promised = np.take_along_axis(scores, top, axis=1)
            self.came_true = np.take_along_axis(meant, top, axis=1)
            self.brier = ((scores - meant) ** 2).sum(axis=1) / (2 if len(task.labels) == 2 else 1)
        self.bins = np.clip(np.ceil(self.promised * BINS).astype(int) - 1, 0, BINS - 1)
        self._gaps = self._by_bin(self.came_true - self.promised)

    def values(self) -> dict[str, float]:
        """ECE and Brier score."""
        everything = np.ones((1, len(self.brier)))
        return {name: float(found[0]) for name, found in self.resample(everything).items()}

    def resample(self, weights: Array) -> dict[str, Array]:
        """ECE and Brier score of each resample; weights (resamples, rows), figures (resamples,)."""
        rows = weights.sum(axis=1)
        gaps = np.abs(weights @ self._gaps).sum(axis=1)
        return {"ece": gaps / (rows * self.promised.shape[1]), "brier": weights @ self.brier / rows}

    def reliability(self) -> list[dict[str, Any]]:
        """For each bin with decisions in it: mean probability, share that came true with its Wilson interval, count."""
        from scipy.stats import binomtest

        found = []
        for number in range(BINS):
            inside = self.bins == number
            count, hits = int(inside.sum()), int(self.came_true[inside].sum())
            if count:
                bounds = binomtest(hits, count).proportion_ci(method="wilson")
                found.append(
                    {
                        "promised": float(self.promised[inside].mean()),
                        "came_true": hits / count,
                        "low": float(bounds.low),
                        "high": float(bounds.high),
                        "count": count,
                    }
                )
        return found

    def _by_bin(self, values: Array) -> Array:
        """The values of each row summed by bin, (n, decisions) to (n, bins)."""
        rows = len(values)
        place = np.arange(rows)[:, None] * BINS + self.bins
        return np.bincount(place.ravel(), values.ravel(), minlength=rows * BINS).reshape(rows, BINS)
