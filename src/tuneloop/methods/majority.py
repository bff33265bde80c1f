"""The answer that knows no text: how often each class occurs, or the mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuneloop.methods.base import Baseline, BaselineModel

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples, Input
    from tuneloop.tasks.base import FloatArray, Task


class Majority(Baseline):
    """The training frequencies as probabilities of every text; the training mean for numbers."""

    name = "majority"

    def fit(self, examples: Examples, task: Task, *, seed: int) -> BaselineModel:
        targets = task.targets(examples.labels)
        if task.problem_type == "single_label_classification":
            row = np.bincount(targets, minlength=task.outputs) / len(targets)
        else:
            row = targets.mean(axis=0, dtype=np.float64).reshape(task.outputs)
        return _Constant(self.name, task, row.astype(np.float32))


class _Constant(BaselineModel):
    def __init__(self, name: str, task: Task, row: FloatArray) -> None:
        super().__init__(name, task)
        self.row = row if task.has_classes else task.unscale(row)

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        return np.tile(self.row, (len(inputs), 1))
