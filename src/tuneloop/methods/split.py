"""What a method trains on or is judged on: the rows of one split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.data.batches import DEALING, Turns

if TYPE_CHECKING:
    from tuneloop.data.examples import Input, Label
    from tuneloop.data.tokens import Tokens
    from tuneloop.tasks.base import Task

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]
    IntArray = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Split:
    """Tokens and labels of the rows of one split.

    Args:
        labels: of the first rows; those after them have none.
        inputs: what the tokens were made from.
        teacher: logits of another model for each row, (n, outputs), where the method has asked for them.
        negatives: texts that each input is to be told apart from, (inputs, most), below 0 where there are fewer.
        packed: whether texts go through the model without padding, so that no batch need hold texts of like length.
        soft: probabilities of the classes that are learnt instead of the labels, (labels, classes).
        turns: which texts an epoch takes, where it does not take all.
        beside: another text for each row without a label, where the method wants one.
    """

    tokens: Tokens
    labels: list[Label]
    inputs: Sequence[Input] = ()
    teacher: FloatArray | None = None
    negatives: IntArray | None = None
    packed: bool = False
    soft: FloatArray | None = None
    turns: Turns | None = None
    beside: Tokens | None = None

    @property
    def dealing(self) -> dict[str, int]:
        """What a checkpoint is bound to beside: how texts are dealt into batches, where that once was another way."""
        return {DEALING: 2} if self.packed else {}

    def targets(self, task: Task) -> np.ndarray[Any, Any]:
        """What the task's loss wants of each text in `tokens`; 0 where there is no label."""
        known = task.aligned(self.labels, self.tokens, self.inputs) if self.soft is None else self.soft
        return np.concatenate([known, np.zeros((len(self.tokens) - len(known), *known.shape[1:]), known.dtype)])

    def select(self, rows: IntArray) -> Split:
        """The given rows: in the given order, but those with a label first; whole inputs where these have several."""
        if self.tokens.owners is not None:
            numbers = list(dict.fromkeys(self.tokens.owners[rows].tolist()))
            labels, inputs = [self.labels[number] for number in numbers], [self.inputs[number] for number in numbers]
            return Split(self.tokens.of_inputs(numbers), labels, inputs, packed=self.packed)
        rows = rows[np.argsort(rows >= len(self.labels), kind="stable")]
        labels = [self.labels[row] for row in rows if row < len(self.labels)]
        inputs = [self.inputs[row] for row in rows] if self.inputs else ()
        teacher = None if self.teacher is None else self.teacher[rows]
        soft = None if self.soft is None else self.soft[rows[: len(labels)]]
        beside = None if self.beside is None else self.beside.select(rows[len(labels) :] - len(self.labels))
        return Split(self.tokens.select(rows), labels, inputs, teacher, packed=self.packed, soft=soft, beside=beside)
