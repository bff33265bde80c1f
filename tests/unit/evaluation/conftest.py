"""Made-up answers of models whose skill is known."""

from __future__ import annotations

import numpy as np
import pytest

from tuneloop.core.config import TaskConfig
from tuneloop.data.examples import Examples
from tuneloop.tasks import create_task

CLASSES = ["a", "b", "c"]


def task_of(kind: str, classes: list[str]):
    return create_task(TaskConfig(type=kind), {"labels": [] if kind == "regression" else classes})


@pytest.fixture(scope="session")
def made_up():
    """A task, labels, and scores that hit the labels more often the larger `skill` is."""

    def make(kind: str, rows: int, *, seed: int, skill: float = 1.5, classes: list[str] = CLASSES):
        random = np.random.default_rng(seed)
        task = task_of(kind, classes)
        if kind == "regression":
            truth = random.normal(3, 2, rows)
            return task, truth.tolist(), (truth + random.normal(0, 2 / skill, rows))[:, None].astype(np.float32)
        if kind == "multilabel":
            meant = random.random((rows, len(classes))) < 0.3
            labels = [tuple(name for name, there in zip(classes, row, strict=True) if there) for row in meant]
        else:
            number = random.integers(0, len(classes), rows)
            meant = number[:, None] == np.arange(len(classes))
            labels = [classes[each] for each in number]
        logits = skill * (2 * meant - 1) / 2 + random.normal(0, 1, meant.shape)
        return task, labels, task.scores(logits.astype(np.float32))

    return make


@pytest.fixture(scope="session")
def examples_of():
    """Examples with these labels, and texts of 17 different lengths."""

    def make(labels, **columns) -> Examples:
        texts = [f"text {row} " + "word " * (row % 17) for row in range(len(labels))]
        return Examples([f"r{row}" for row in range(len(labels))], texts, list(labels), columns=columns)

    return make


@pytest.fixture(scope="session")
def writer():
    """A task whose answers are texts."""
    return create_task(TaskConfig(type="generation"), {})
