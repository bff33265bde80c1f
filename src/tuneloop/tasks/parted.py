"""What tasks share whose inputs are read in several parts: windows, choices, or each text apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.tasks.base import Task

if TYPE_CHECKING:
    from torch import Tensor

    from tuneloop.data.examples import Label
    from tuneloop.data.tokens import Tokens
    from tuneloop.tasks.base import FloatArray, IntArray


class PartedTask(Task):
    """A task that needs the tokens to say what the loss wants (`aligned`) and what logits mean (`answers`)."""

    @property
    def score_columns(self) -> int | None:
        return None

    @property
    def has_temperature(self) -> bool:
        return False

    def targets(self, labels: Sequence[Label]) -> np.ndarray[Any, Any]:
        raise NotImplementedError("the targets of parts need tokens: see aligned")

    def scores(self, logits: FloatArray) -> FloatArray:
        raise NotImplementedError("the scores of parts need tokens: see answers")

    def divergence(self, logits: Tensor, others: Tensor) -> Tensor:
        raise NotImplementedError("one answer for each text is needed")

    def metrics(self, labels: Sequence[Label], scores: FloatArray) -> dict[str, float]:
        weights = self.row_weights(labels)
        rows = self.row_figures(labels, scores)
        return {name: float(np.average(each, weights=weights)) for name, each in rows.items()}


def windows(tokens: Tokens) -> Iterator[tuple[int, int, IntArray]]:
    """The number of each text, the number of its input, and the places of its tokens, (tokens, 2)."""
    if tokens.places is None or tokens.owners is None:
        raise ValueError("these tokens have no places: make them with the task's own tokenizer")
    for row, owner in enumerate(tokens.owners.tolist()):
        yield row, owner, tokens.places[tokens.offsets[row] : tokens.offsets[row + 1]]
