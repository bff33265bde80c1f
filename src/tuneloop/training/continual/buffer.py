"""Which of the old rows a memory of limited size holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tuneloop.data.examples import Label

    IntArray = np.ndarray[Any, np.dtype[Any]]
    FloatArray = np.ndarray[Any, np.dtype[np.float32]]


def choose(
    kind: str, labels: Sequence[Label], count: int, *, seed: int, vectors: Callable[[], FloatArray]
) -> list[int]:
    """Numbers of `count` rows at most, in an order in which every beginning is a fair choice too.

    Args:
        kind: class_balanced, reservoir or herding.
        labels: of all old rows, the oldest first.
        vectors: what the old model's last layer receives of each row, (n, hidden); asked for by herding alone.
    """
    random = np.random.default_rng([seed, *b"replay"])
    if kind == "reservoir":
        return random.permutation(reservoir(len(labels), count, random)).tolist()
    classes = [str(label) for label in labels]
    queues = {name: np.flatnonzero([each == name for each in classes]) for name in sorted(set(classes))}
    if kind == "herding":
        heard = vectors()
        ordered = {name: rows[herd(heard[rows])] for name, rows in queues.items()}
    else:
        ordered = {name: random.permutation(rows) for name, rows in queues.items()}
    return _in_turns(list(ordered.values()))[:count]


def reservoir(rows: int, size: int, random: np.random.Generator) -> IntArray:
    """A sample of `size` of a stream of rows, each as likely as any other: Vitter (1985), algorithm R."""
    held = np.arange(min(rows, size))
    for row in range(size, rows):
        place = int(random.integers(row + 1))
        if place < size:
            held[place] = row
    return held


def herd(vectors: FloatArray) -> IntArray:
    """All rows of one class in the order in which their running mean stays nearest to the class's mean.

    Rebuffi et al., "iCaRL: Incremental Classifier and Representation Learning" (2017), algorithm 4, on vectors of
    length 1.
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    centre, total = unit.mean(axis=0), np.zeros(unit.shape[1])
    left, order = np.ones(len(unit), bool), []
    for number in range(1, len(unit) + 1):
        distances = np.linalg.norm(centre - (total + unit) / number, axis=1)
        row = int(np.where(left, distances, np.inf).argmin())
        order.append(row)
        left[row], total = False, total + unit[row]
    return np.array(order, dtype=int)


def _in_turns(queues: list[IntArray]) -> list[int]:
    """The first of each queue, then the second of each, and so on: small classes are held whole."""
    longest = max((len(queue) for queue in queues), default=0)
    return [int(queue[place]) for place in range(longest) for queue in queues if place < len(queue)]
