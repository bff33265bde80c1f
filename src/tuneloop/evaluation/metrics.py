"""All figures of one set of answers, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tuneloop.evaluation.calibration import Calibration
from tuneloop.evaluation.counts import Counts
from tuneloop.evaluation.faithful import faithfulness
from tuneloop.evaluation.intervals import Array, Figure, bootstrap, figure, interval
from tuneloop.evaluation.means import Means, Ratios
from tuneloop.evaluation.ranking import Ranking
from tuneloop.evaluation.regression import Numbers
from tuneloop.evaluation.written import WrittenTexts

if TYPE_CHECKING:
    from tuneloop.data.examples import Label
    from tuneloop.tasks.base import FloatArray, Task

RANKING_WORK = 15_000_000
"""Sorted weights (resamples x rows x classes) that ROC-AUC may cost; beyond that it gets fewer resamples."""

FEWEST_RESAMPLES = 200


class Family(Protocol):
    """Figures of one kind: of the rows as they are, and of any resample of them."""

    def values(self) -> dict[str, float]:
        """Name to figure."""

    def resample(self, weights: Array) -> dict[str, Array]:
        """Name to figures (resamples,), for weights (resamples, rows)."""


def headline_family(task: Task, labels: Sequence[Label], scores: FloatArray) -> Family:
    """The family that the task's primary metric belongs to."""
    if task.problem_type == "regression":
        return Numbers(task, labels, scores)
    if task.has_classes:
        return Counts(task, labels, scores)
    return Means(task.row_figures(labels, scores), task.row_weights(labels))


def families_of_parts(task: Task, labels: Sequence[Label], scores: FloatArray) -> Callable[[Any], Family]:
    """What gives the headline family of some of the rows, by their numbers.

    Rows that are judged among all the others, as those of retrieval among all passages, are so on a part too.
    """
    if task.problem_type == "regression" or task.has_classes:
        return lambda rows: headline_family(task, [labels[row] for row in rows], scores[rows])
    figures = {name: np.asarray(found) for name, found in task.row_figures(labels, scores).items()}
    return lambda rows: Means(
        {name: found[rows] for name, found in figures.items()}, task.row_weights([labels[row] for row in rows])
    )


def measure(
    task: Task,
    labels: Sequence[Label],
    scores: FloatArray,
    *,
    resamples: int,
    seed: int,
    contexts: Sequence[str] | None = None,
    probabilities: FloatArray | None = None,
) -> dict[str, Figure]:
    """Every metric of the task with its 95 % interval, the headline figures first.

    Args:
        contexts: what written answers are to keep to; there are figures that need it.
        probabilities: those of the model, where rules have made `scores` others; what is said of probabilities is
            said of them.

    Raises:
        MissingExtraError: if texts were written and a package that compares texts is not installed.
    """
    headline = WrittenTexts(labels, scores, contexts) if task.generates else headline_family(task, labels, scores)
    families: list[tuple[Family, int]] = [(headline, resamples)]
    if task.has_probabilities:
        fewer = ranking_resamples(len(labels), classes=len(task.labels), resamples=resamples)
        own = scores if probabilities is None else probabilities
        families += [(Ranking(task, labels, own), fewer), (Calibration(task, labels, own), resamples)]
    figures: dict[str, Figure] = {}
    for family, count in families:
        figures |= _measured(family, rows=len(labels), resamples=count, seed=seed)
    return figures


def measure_references(
    labels: Sequence[Label], contexts: Sequence[str], *, resamples: int, seed: int
) -> dict[str, Figure]:
    """How far the reference answers themselves keep to what they were given, with intervals."""
    family = Ratios(faithfulness(list(map(str, labels)), contexts))
    return _measured(family, rows=len(labels), resamples=resamples, seed=seed)


def _measured(family: Family, *, rows: int, resamples: int, seed: int) -> dict[str, Figure]:
    values = family.values()
    samples = bootstrap(family.resample, rows=rows, resamples=resamples, seed=seed) if values else {}
    return {
        name: figure(name, value, samples[name]) if name in samples else Figure(value, np.nan, np.nan)
        for name, value in values.items()
    }


def ranking_resamples(rows: int, *, classes: int, resamples: int) -> int:
    """Resamples behind the interval of ROC-AUC and average precision, whose cost grows with the classes."""
    return min(resamples, max(FEWEST_RESAMPLES, RANKING_WORK // max(1, rows * classes)))


def measure_classes(counts: Counts, *, resamples: int, seed: int) -> list[dict[str, Any]]:
    """Precision, recall and F1 of each class with their intervals, and its support, as JSON."""
    samples = bootstrap(counts.per_class, rows=len(counts.meant), resamples=resamples, seed=seed)
    bounds = {name: interval(found) for name, found in samples.items()}
    rows = counts.table()
    for number, row in enumerate(rows):
        for name, (low, high) in bounds.items():
            row[name] = Figure(row[name], float(low[number]), float(high[number])).to_json()
    return rows
