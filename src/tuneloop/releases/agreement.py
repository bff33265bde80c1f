"""Does a form answer like the model that was evaluated?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.data.examples import Examples, Input, Label
from tuneloop.evaluation.intervals import finite

if TYPE_CHECKING:
    from tuneloop.tasks.base import FloatArray, Task


@dataclass(frozen=True)
class Agreement:
    """How far a form's answers are from the evaluated model's on the same rows.

    Args:
        max_difference: largest difference of a probability, or of a value in the label's units.
        agreement: share of rows that get the same answer.
        loss: fall of the task's primary metric; negative for a gain.
    """

    max_difference: float
    agreement: float
    loss: float

    @property
    def finite(self) -> bool:
        """Whether the form gave numbers at all."""
        return math.isfinite(self.max_difference) and math.isfinite(self.loss)

    def to_json(self) -> dict[str, float | None]:
        """Plain JSON; what is not finite becomes None."""
        return {name: finite(value) for name, value in asdict(self).items()}


def agree(task: Task, labels: Sequence[Label], expected: FloatArray, found: FloatArray) -> Agreement:
    """How the scores `found` agree with `expected`, both (rows, outputs)."""
    same = [a == b for a, b in zip(task.decide(expected), task.decide(found), strict=True)]
    before, after = (task.metrics(labels, scores)[task.primary_metric] for scores in (expected, found))
    return Agreement(float(np.max(task.changes(expected, found))), float(np.mean(same)), float(before - after))


TEXTS, COMPANIONS = 8, 16


def companies(inputs: Sequence[Input]) -> list[list[Input]]:
    """Texts from the shortest to the longest, each followed by those that share its batch: its like in length, and the
    longest of all."""
    order = sorted(set(inputs), key=lambda each: (sum(map(len, each)) if isinstance(each, tuple) else len(each), each))
    places = np.linspace(0, max(0, len(order) - COMPANIONS), TEXTS).round().astype(int)
    found = [order[place : place + COMPANIONS] for place in sorted(set(places.tolist()))]
    return [list(dict.fromkeys([*each, order[-1]])) for each in found]


def batch_effect(predictor: Any, dev: Examples) -> float:
    """Largest change of a score through the texts that are answered with it."""
    groups = companies(dev.inputs)
    alone = np.concatenate([predictor.scores(group[:1]) for group in groups])
    beside = np.concatenate([predictor.scores(group)[:1] for group in groups])
    return float(np.max(predictor.task.changes(alone, beside)))
