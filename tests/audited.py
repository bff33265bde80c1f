"""A model without a network, and data that audits can look at: quick, exact, the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tuneloop.audits.answers import Remembering
from tuneloop.audits.base import Subject
from tuneloop.core.config import TaskConfig
from tuneloop.data.examples import Examples, Input
from tuneloop.tasks import create_task

GOOD = ["good", "great", "lovely", "fine", "clean", "quiet", "friendly", "warm"]
BAD = ["bad", "awful", "dirty", "loud", "rude", "cold", "broken", "slow"]
OTHER = [
    "the",
    "room",
    "was",
    "we",
    "had",
    "a",
    "bed",
    "and",
    "staff",
    "in",
    "this",
    "hotel",
    "for",
    "two",
    "nights",
    "with",
    "breakfast",
    "near",
    "town",
]


@dataclass
class WordModel:
    """Classifies by words that count for or against; probabilities are the logistic of their sum.

    Args:
        weights: what a word counts for "yes".
        asked: every text that was ever scored.
    """

    weights: dict[str, float]
    name: str = "words"
    task: Any = field(default_factory=lambda: create_task(TaskConfig(type="classification"), {"labels": ["no", "yes"]}))
    asked: list[Input] = field(default_factory=list)

    def scores(self, inputs: Sequence[Input]) -> Any:
        self.asked += inputs
        sums = np.array([sum(self.weights.get(word, 0.0) for word in str(item).lower().split()) for item in inputs])
        yes = 1 / (1 + np.exp(-sums.astype(np.float32)))
        return np.stack([1 - yes, yes], axis=1) if len(inputs) else np.zeros((0, 2), np.float32)

    def predict(self, inputs: Sequence[Input]) -> Any:
        return self.task.predictions(self.scores(inputs), [False] * len(inputs))


def word_model() -> WordModel:
    """A model that knows the good words and the bad ones."""
    return WordModel({word: 2.0 for word in GOOD} | {word: -2.0 for word in BAD})


def hotel_rows(n: int, *, seed: int, spoil: Callable[[list[str], bool], list[str]] | None = None) -> Examples:
    """Texts with good or with bad words among others, half and half; `spoil` may change the words of a row."""
    random = np.random.default_rng(seed)
    texts, labels = [], []
    for row in range(n):
        good = bool(row % 2)
        words = [*random.choice(OTHER, 8), *random.choice(GOOD if good else BAD, 2)]
        words = [str(word) for word in random.permutation(words)]
        texts.append(" ".join(spoil(words, good) if spoil else words))
        labels.append("yes" if good else "no")
    return Examples([str(row) for row in range(n)], texts, list(labels))


def hotel_subject(model: Any = None, *, train: Examples | None = None, test: Examples | None = None) -> Subject:
    """The word model on such rows."""
    model = model or word_model()
    test = test or hotel_rows(120, seed=3)
    train = train or hotel_rows(200, seed=1)
    remembering = Remembering(model)
    return Subject("hotel", remembering, model, train, hotel_rows(80, seed=2), test, test, seed=5)
