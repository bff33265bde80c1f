"""A model that several threads ask in turn, a few texts at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tuneloop.core.turns import Turns
    from tuneloop.data.examples import Input
    from tuneloop.inference.predictor import Predictor
    from tuneloop.tasks.base import FloatArray, Prediction, Task

PORTION = 32
"""Texts that are asked for before others have their turn."""


class GivenUp(Exception):
    """Nobody waits for this answer any more."""


class InTurn:
    """A `ModelHandle` that gives way to other threads between two portions of a long question.

    Args:
        model: what answers.
        turns: taken while it does.
        wanted: whether anybody still waits; asked before each portion, which is not computed for nobody.
    """

    def __init__(self, model: Predictor, turns: Turns, wanted: Callable[[], bool] = lambda: True) -> None:
        self._model, self._turns, self._wanted = model, turns, wanted

    @property
    def name(self) -> str:
        """The model's."""
        return self._model.name

    @property
    def task(self) -> Task:
        """The model's."""
        return self._model.task

    def mended(self, inputs: Sequence[Input]) -> list[Input]:
        """The inputs as the model reads them."""
        return self._model.mended(inputs)

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        """What the task decides by, in order.

        Raises:
            GivenUp: if nobody waits for it.
        """
        parts = self._asked(self._model.scores, inputs)
        return np.concatenate(parts) if parts else self._model.scores([])

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """One prediction per input, in order.

        Raises:
            GivenUp: if nobody waits for it.
        """
        return [each for part in self._asked(self._model.predict, inputs) for each in part]

    def _asked(self, ask: Callable[[Sequence[Input]], Any], inputs: Sequence[Input]) -> list[Any]:
        found = []
        for start in range(0, len(inputs), PORTION):
            with self._turns:
                if not self._wanted():
                    raise GivenUp
                found.append(ask(inputs[start : start + PORTION]))
        return found
