"""Figures from counts of right and wrong answers: accuracy, F1, MCC, precision and recall, confusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.evaluation.intervals import Array

if TYPE_CHECKING:
    from tuneloop.data.examples import Label
    from tuneloop.tasks.base import FloatArray, Task


class Counts:
    """Which class was meant and which was given, row by row.

    Args:
        task: a task with classes, single-label or multi-label.
        labels: the truth.
        scores: probabilities (n, classes).
    """

    def __init__(self, task: Task, labels: Sequence[Label], scores: FloatArray) -> None:
        self.task, self.labels, self.scores = task, labels, scores
        self.single = task.problem_type == "single_label_classification"
        answers = task.decide(scores)
        self.hits, self.given, self.meant = task.counts(labels, answers)
        self._sums = np.hstack([self.hits, self.given, self.meant])
        self._exact = ((self.hits == self.given) & (self.hits == self.meant)).all(axis=1).astype(np.float64)

    def values(self) -> dict[str, float]:
        """The task's own headline figures."""
        return self.task.metrics(self.labels, self.scores)

    def resample(self, weights: Array) -> dict[str, Array]:
        """Accuracy, F1 and MCC of each resample; weights (resamples, rows), figures (resamples,)."""
        hits, given, meant = self._counts(weights)
        f1 = _ratio(2 * hits, given + meant)
        exact = weights @ self._exact / weights.sum(axis=1)
        averages = {"macro_f1": f1.mean(axis=1), "weighted_f1": _ratio((f1 * meant).sum(axis=1), meant.sum(axis=1))}
        if self.single:
            return {"accuracy": exact, "mcc": _mcc(hits, given, meant)} | averages
        micro = _ratio(2 * hits.sum(axis=1), given.sum(axis=1) + meant.sum(axis=1))
        return {"subset_accuracy": exact, "micro_f1": micro} | averages

    def per_class(self, weights: Array) -> dict[str, Array]:
        """Precision, recall and F1 of each class in each resample, (resamples, classes)."""
        hits, given, meant = self._counts(weights)
        return {
            "precision": _ratio(hits, given),
            "recall": _ratio(hits, meant),
            "f1": _ratio(2 * hits, given + meant),
        }

    def table(self) -> list[dict[str, Any]]:
        """Label, precision, recall, F1 and support of each class, as scikit-learn and seqeval count them."""
        columns = {name: found[0] for name, found in self.per_class(np.ones((1, len(self.meant)))).items()}
        return [
            {"label": name, **{key: float(values[number]) for key, values in columns.items()}}
            | {"support": int(self.meant[:, number].sum())}
            for number, name in enumerate(self.task.labels)
        ]

    def confusion(self) -> dict[str, Any]:
        """Rows are what was meant, columns what was given; for multi-label tasks a 2 x 2 table for each class."""
        from sklearn.metrics import confusion_matrix, multilabel_confusion_matrix

        labels = list(self.task.labels)
        if self.single:
            meant, given = self.meant.argmax(axis=1), self.given.argmax(axis=1)
            matrix = confusion_matrix(meant, given, labels=range(len(labels)))
        else:
            matrix = multilabel_confusion_matrix(self.meant, self.given)
        return {"labels": labels, "matrix": matrix.tolist()}

    def _counts(self, weights: Array) -> tuple[Array, Array, Array]:
        """Hits, times given and times meant of each class, each (resamples, classes)."""
        hits, given, meant = np.hsplit(weights @ self._sums, 3)
        return hits, given, meant


def _ratio(top: Array, bottom: Array) -> Array:
    """`top / bottom`, 0 where there is nothing to divide by, as scikit-learn's zero_division=0."""
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def _mcc(hits: Array, given: Array, meant: Array) -> Array:
    """Matthews' correlation for several classes: Gorodkin, "Comparing two K-category assignments" (2004)."""
    rows = meant.sum(axis=1)
    covariance = hits.sum(axis=1) * rows - (given * meant).sum(axis=1)
    spread = (rows**2 - (given**2).sum(axis=1)) * (rows**2 - (meant**2).sum(axis=1))
    return _ratio(covariance, np.sqrt(spread))
