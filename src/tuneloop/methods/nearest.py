"""The answer that stands beside the most similar training prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.data.bag_of_words import vectorizer
from tuneloop.methods.base import Baseline, BaselineModel
from tuneloop.methods.majority import Majority, most_frequent
from tuneloop.tasks.spans import as_scores
from tuneloop.tasks.written import Written

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples, Input
    from tuneloop.tasks.base import FloatArray, Task

CHUNK = 64
"""Prompts that are compared with all training prompts at a time."""


class Nearest(Baseline):
    """Copies the answer of the training prompt with the largest TF-IDF cosine, the first of several.

    A model that has learnt to write beats it; one that only recalls does not. A prompt that shares no word with
    training gets the most frequent answer.
    """

    name = "nearest"

    def fit(self, examples: Examples, task: Task, *, seed: int) -> BaselineModel:
        words = vectorizer(examples.inputs)
        try:
            known = words.fit_transform(examples.inputs)
        except ValueError:  # scikit-learn's "empty vocabulary"
            return Majority().fit(examples, task, seed=seed)
        return _Copied(self.name, task, words, known, [str(label) for label in examples.labels])


class _Copied(BaselineModel):
    def __init__(self, name: str, task: Task, words: Any, known: Any, answers: list[str]) -> None:
        super().__init__(name, task)
        self.words, self.known, self.answers = words, known, answers
        self.otherwise = most_frequent(answers)

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        """An array (n,) of `Written`, without likelihoods."""
        return as_scores(map(Written, self._texts(inputs)))

    def _texts(self, inputs: Sequence[Input]) -> Iterator[str]:
        for start in range(0, len(inputs), CHUNK):
            cosines = self.words.transform(inputs[start : start + CHUNK]) @ self.known.T
            rows, most = np.asarray(cosines.argmax(axis=1)).ravel(), cosines.max(axis=1).toarray().ravel()
            yield from (self.answers[row] if found else self.otherwise for row, found in zip(rows, most, strict=True))
