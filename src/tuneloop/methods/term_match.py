"""Passages by the words that they share with the query, without a pretrained model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.data.bag_of_words import vectorizer
from tuneloop.methods.base import Baseline, BaselineModel

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples, Input
    from tuneloop.tasks.base import FloatArray, Task


MOST_NUMBERS = 1 << 28
"""Of float32: one GiB."""


class TermMatch(Baseline):
    """Cosines of TF-IDF vectors, whose weights come from the training queries and passages.

    At most MOST_NUMBERS are kept in memory: of very many rows only the terms that weigh most on both sides count.
    """

    name = "term_match"

    def fit(self, examples: Examples, task: Task, *, seed: int) -> BaselineModel:
        texts = [part for item in examples.inputs for part in item]
        return _Vectors(self.name, task, vectorizer(texts).fit(texts))


class _Vectors(BaselineModel):
    def __init__(self, name: str, task: Task, words: Any) -> None:
        super().__init__(name, task)
        self.words = words

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        """The vectors of queries and passages, cut to the terms that both sides use: no other counts in a product."""
        asked, offered = (self.words.transform([item[side] for item in inputs]) for side in (0, 1))
        weights = np.asarray(asked.sum(axis=0)).ravel() * np.asarray(offered.sum(axis=0)).ravel()
        most = max(1, MOST_NUMBERS // (2 * max(1, len(inputs))))
        shared = np.sort(np.argsort(-weights, kind="stable")[: min(most, np.count_nonzero(weights))])
        return np.hstack([side[:, shared].astype(np.float32).toarray() for side in (asked, offered)])
