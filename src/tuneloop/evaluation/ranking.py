"""Figures from the order of the scores: ROC-AUC and average precision, class against rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuneloop.evaluation.intervals import Array

if TYPE_CHECKING:
    from tuneloop.data.examples import Label
    from tuneloop.tasks.base import FloatArray, Task


class Ranking:
    """How well the scores put the rows of a class before all others, mean over the classes.

    A class that has every row or none in the test split has no such order and is left out of the mean. With two
    classes one order says it all. Average precision is measured for multi-label tasks only.

    Args:
        task: a task with classes.
        labels: the truth.
        scores: probabilities (n, classes).
    """

    def __init__(self, task: Task, labels: Sequence[Label], scores: FloatArray) -> None:
        self.scores = scores
        self.meant = task.indicator(labels)
        self.multilabel = task.problem_type == "multi_label_classification"
        shares = self.meant.mean(axis=0)
        self.classes = np.flatnonzero((shares > 0) & (shares < 1))
        if not self.multilabel and len(task.labels) == 2:
            self.classes = self.classes[1:]

    def values(self) -> dict[str, float]:
        """The figures as scikit-learn computes them; none if no class can be measured."""
        from sklearn.metrics import average_precision_score, roc_auc_score

        if not len(self.classes):
            return {}
        measures = {"roc_auc": roc_auc_score} | (
            {"average_precision": average_precision_score} if self.multilabel else {}
        )
        return {
            name: float(np.mean([measure(self.meant[:, k], self.scores[:, k]) for k in self.classes]))
            for name, measure in measures.items()
        }

    def resample(self, weights: Array) -> dict[str, Array]:
        """The figures of each resample; weights (resamples, rows), figures (resamples,)."""
        areas = np.zeros((len(self.classes), len(weights)))
        precisions = np.zeros_like(areas)
        for place, k in enumerate(self.classes):
            meant, rest = _by_score(self.scores[:, k], self.meant[:, k], weights)
            with np.errstate(invalid="ignore", divide="ignore"):
                areas[place] = _area(meant, rest)
                if self.multilabel:
                    precisions[place] = _average_precision(meant, rest)
        found = {"roc_auc": areas} | ({"average_precision": precisions} if self.multilabel else {})
        return {name: _mean_of_known(values) for name, values in found.items()}


def _by_score(scores: Array, meant: Array, weights: Array) -> tuple[Array, Array]:
    """Weight of the class and of the rest at each different score, the highest first: (resamples, scores) each."""
    order = np.argsort(-scores, kind="stable")
    inside = meant[order] > 0
    ordered = weights[:, order]
    positive, negative = np.where(inside, ordered, 0.0), np.where(inside, 0.0, ordered)
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    if len(starts) == len(scores):
        return positive, negative
    return np.add.reduceat(positive, starts, axis=1), np.add.reduceat(negative, starts, axis=1)


def _area(meant: Array, rest: Array) -> Array:
    """Share of (class, rest) pairs in the right order, equal scores counting half: the Mann-Whitney statistic."""
    passed = np.cumsum(rest, axis=1)
    below = passed[:, -1:] - passed + 0.5 * rest
    return np.asarray(np.einsum("ij,ij->i", meant, below) / (meant.sum(axis=1) * passed[:, -1]))


def _average_precision(meant: Array, rest: Array) -> Array:
    hits, taken = np.cumsum(meant, axis=1), np.cumsum(meant + rest, axis=1)
    precision = np.divide(hits, taken, out=np.zeros_like(hits), where=taken > 0)
    measurable = np.where(rest.any(axis=1), hits[:, -1], np.nan)  # a class that has every row has no order
    return np.asarray(np.einsum("ij,ij->i", precision, meant) / measurable)


def _mean_of_known(values: Array) -> Array:
    """The mean over classes, (classes, resamples) to (resamples,); a class absent from a resample does not count."""
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
