"""The answer that knows no text: how often each class occurs, the mean, or the most frequent text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuneloop.methods.base import Baseline, BaselineModel
from tuneloop.tasks.spans import as_scores
from tuneloop.tasks.written import Written

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples, Input, Label
    from tuneloop.tasks.base import FloatArray, Task


class Majority(Baseline):
    """The training frequencies as probabilities of every text; the mean for numbers; the commonest answer."""

    name = "majority"

    def fit(self, examples: Examples, task: Task, *, seed: int) -> BaselineModel:
        if task.spans_in:
            return _Nothing(self.name, task)
        if task.layout == "choices":
            return _Position(self.name, task, examples)
        if task.generates:
            return _Answer(self.name, task, most_frequent(examples.labels))
        targets = task.targets(examples.labels)
        if task.problem_type == "single_label_classification":
            row = np.bincount(targets, minlength=len(task.labels)) / len(targets)
        else:
            row = targets.mean(axis=0, dtype=np.float64).reshape(task.score_columns)
        return _Constant(self.name, task, row.astype(np.float32))


class _Nothing(BaselineModel):
    """Most of a text is no stretch, so nothing is found."""

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        return as_scores(() for _ in inputs)


class _Answer(BaselineModel):
    """One text for every prompt."""

    def __init__(self, name: str, task: Task, text: str) -> None:
        super().__init__(name, task)
        self.text = text

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        """An array (n,) of `Written`, without likelihoods."""
        return as_scores(Written(self.text) for _ in inputs)


class _Position(BaselineModel):
    """The place among the choices that is most often right."""

    def __init__(self, name: str, task: Task, examples: Examples) -> None:
        super().__init__(name, task)
        rows = zip(examples.inputs, examples.labels, strict=True)
        self.counts = Counter(item[1].split("\n").index(str(label)) for item, label in rows)

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        return as_scores(self._shares(item[1].split("\n")) for item in inputs)

    def _shares(self, choices: list[str]) -> tuple[tuple[str, float], ...]:
        known = [self.counts[place] + 1e-9 for place in range(len(choices))]
        return tuple((choice, count / sum(known)) for choice, count in zip(choices, known, strict=True))


class _Constant(BaselineModel):
    def __init__(self, name: str, task: Task, row: FloatArray) -> None:
        super().__init__(name, task)
        self.row = row if task.has_classes else task.unscale(row)

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        return np.tile(self.row, (len(inputs), 1))


def most_frequent(answers: Sequence[Label]) -> str:
    """The answer that occurs most often, the first of several; empty if there are none."""
    return next((str(answer) for answer, _ in Counter(answers).most_common(1)), "")
