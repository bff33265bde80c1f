"""A learning curve of labels that are there already: what would fewer of them have brought?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.i18n import t
from tuneloop.core.progress import progress
from tuneloop.data.examples import Label
from tuneloop.labelling.curve import FEWEST_SIZES, FloatArray, Measured
from tuneloop.labelling.strategies.geometry import to_unit

if TYPE_CHECKING:
    from tuneloop.tasks.base import Task

SIZES = 7
RUNS = 10
HELD_OUT = 0.2
SMALLEST = 1 / 16
"""The fewest labels of a curve, as a share of the most."""


def measure_curve(
    vectors: FloatArray, labels: Sequence[Label], task: Task, *, runs: int = RUNS, seed: int = 0, quiet: bool = False
) -> Measured:
    """Scores of linear models on vectors, which learnt from ever more of the labels.

    In each run a fifth of the rows is held out, each class alike, and judges all models of the run; of the others the
    first ones are learnt from, in an order that the seed draws.

    Args:
        vectors: of the texts, (n, hidden).
        labels: their classes.
        task: a task of one class for each text; its primary metric is the score.

    Raises:
        ConfigError: if the task is none of one class for each text.
        DataError: if there are too few rows of a class.
    """
    check_task(task)
    targets, vectors = task.targets(labels), to_unit(vectors)
    _check_rows(targets, task)
    held = [_held_out(targets, np.random.default_rng([seed, run])) for run in range(runs)]
    most = min(len(targets) - int(rows.sum()) for rows in held)
    sizes = np.unique(np.geomspace(max(2 * len(task.labels), most * SMALLEST), most, SIZES).round().astype(int))
    if len(sizes) < FEWEST_SIZES:
        raise _too_few(len(targets))
    scores = np.zeros((runs, len(sizes)))
    with progress(t("Measuring a learning curve"), runs, quiet=quiet) as bar:
        for run, judged in enumerate(held):
            learnt = np.random.default_rng([seed, run, 1]).permutation(np.flatnonzero(~judged))
            right = [labels[row] for row in np.flatnonzero(judged).tolist()]
            for column, size in enumerate(sizes):
                answers = _answers(vectors, targets, learnt[:size], judged, task)
                scores[run, column] = task.metrics(right, answers)[task.primary_metric]
            bar.update(run + 1)
    return Measured(sizes.astype(np.float64), scores, held_out=HELD_OUT / (1 - HELD_OUT))


def check_task(task: Task | type[Task]) -> None:
    """Raise a ConfigError if a task has not one class for each text."""
    if task.problem_type != "single_label_classification" or task.layout != "whole":
        raise ConfigError(
            t("A forecast is of tasks with one class for each text, not of {task}.", task=task.name),
            t("Measure with tuneloop compare what fewer labels bring: comparison.budgets."),
        )


def _held_out(targets: Any, random: np.random.Generator) -> Any:
    """Rows that judge, bool, (n,): a fifth of each class, one at least."""
    held = np.zeros(len(targets), dtype=bool)
    for each in np.unique(targets):
        rows = random.permutation(np.flatnonzero(targets == each))
        held[rows[: max(1, round(HELD_OUT * len(rows)))]] = True
    return held


def _answers(vectors: FloatArray, targets: Any, learnt: Any, judged: Any, task: Task) -> Any:
    """Probabilities of the rows that judge, float32, (rows, classes); the only class where one was seen."""
    from sklearn.linear_model import LogisticRegression

    found = np.zeros((int(judged.sum()), len(task.labels)), dtype=np.float32)
    seen = np.unique(targets[learnt])
    if len(seen) == 1:
        found[:, seen] = 1
        return found
    model = LogisticRegression(max_iter=300).fit(vectors[learnt], targets[learnt])
    found[:, model.classes_] = model.predict_proba(vectors[judged])
    return found


def _check_rows(targets: Any, task: Task) -> None:
    counts = np.bincount(targets, minlength=len(task.labels))
    for label, count in zip(task.labels, counts, strict=True):
        if count == 1:
            raise DataError(
                t("There is one text of the class {label}; it cannot both teach and judge.", label=label),
                t("Label a few more of it first."),
            )
    if (counts > 0).sum() < 2:
        raise _too_few(len(targets))


def _too_few(rows: int) -> DataError:
    return DataError(
        t("{rows} labels are too few for a learning curve.", rows=rows), t("Label 50 texts of all classes first.")
    )
