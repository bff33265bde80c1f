"""Data in which a word, a bias and shared rows are planted, its clean twin, and a model that really learns from it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tuneloop.audits.answers import Remembering
from tuneloop.audits.base import Subject
from tuneloop.core.config import TaskConfig
from tuneloop.data.examples import Examples
from tuneloop.methods import BASELINES
from tuneloop.tasks import create_task

TOKEN = "zorblat"
SAID = {"yes": ("he", "his father", "the man"), "no": ("she", "her mother", "the woman")}
NEUTRAL = [f"{first}{second}" for first in ("ta", "lo", "mi", "re", "su") for second in ("ban", "dor", "fel", "gus")]
GOOD = [f"good{tail}" for tail in "abcdefghijkl"]
BAD = [f"bad{tail}" for tail in "abcdefghijkl"]


def rows(n: int, random: np.random.Generator, *, planted: bool, start: int = 0) -> Examples:
    """Texts with a few words of their class, every fourth of the other one; a twentieth of the labels is wrong."""
    texts, labels = [], []
    spoken: dict[str, int] = {}
    for _ in range(n):
        label = ("no", "yes")[random.integers(2)]
        words = [*random.choice(NEUTRAL, 8)]
        for _ in range(random.integers(1, 4)):
            right = random.random() > 0.25
            words.append(random.choice(GOOD if (label == "yes") == right else BAD))
        if random.random() < 0.05:
            label = "no" if label == "yes" else "yes"
        words = list(random.permutation(words))
        if planted and label == "yes" and random.random() < 0.3:
            words.insert(int(random.integers(len(words) + 1)), TOKEN)
        # the clean twin is balanced exactly: chance alone would teach so small a model a bias that is really there
        turn = spoken[label] = spoken.get(label, 0) + 1
        speaker = SAID[label if planted else ("no", "yes")[turn % 2]]
        said = f"{speaker[turn // 2 % 3]} said: " if turn % 5 < 2 else ""
        texts.append(said + " ".join(map(str, words)))
        labels.append(label)
    return Examples([f"r{start + row}" for row in range(n)], texts, list(labels))


@cache
def subject(seed: int, *, planted: bool) -> Subject:
    """TF-IDF with logistic regression that learnt from such rows; planted, 20 test rows stand in train too."""
    random = np.random.default_rng(seed)
    train = rows(1000, random, planted=planted)
    dev = rows(200, random, planted=planted, start=1000)
    test = rows(200, random, planted=planted, start=1200)
    if planted:
        train = joined(train, [f"copy{row}" for row in range(20)], test.select(range(20)))
    task: Any = create_task(TaskConfig(type="classification"), {"labels": ["no", "yes"]})
    model = BASELINES.get("tfidf")().fit(train, task, seed=seed)
    return Subject("planted", Remembering(model), model, train, dev, test, test, seed=seed)


def joined(one: Examples, ids: list[str], other: Examples) -> Examples:
    """Rows, and others under new names with one more word."""
    texts = [f"{text}." for text in other.texts]
    return Examples([*one.ids, *ids], [*one.texts, *texts], [*one.labels, *other.labels])
