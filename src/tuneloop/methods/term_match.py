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


class TermMatch(Baseline):
    """Cosines of TF-IDF vectors, whose weights come from the training queries and passages."""

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
        shared = np.flatnonzero(np.diff(asked.tocsc().indptr) * np.diff(offered.tocsc().indptr))
        return np.hstack([asked[:, shared].toarray(), offered[:, shared].toarray()]).astype(np.float32)
