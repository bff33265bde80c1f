"""Items that the same people like: popularity, and the nearest items of each item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def popularity(matrix: Any) -> Array:
    """How many users have each item, (items,).

    Args:
        matrix: 1 where a user has an item, (users, items), sparse.
    """
    return np.asarray(matrix.sum(axis=0), dtype=np.float64).ravel()


class ItemNeighbours:
    """item-kNN: an item counts by how like it is to those of a history (Deshpande and Karypis 2004).

    Likeness is the cosine of the items' columns, shrunk where few users have both (Bell and Koren 2007):
    `both / (sqrt(one * other) + shrink)`. It needs no training for a new user: a history is all that is asked.

    Args:
        matrix: 1 where a user has an item, (users, items), sparse.
        neighbours: of each item that are kept.
        shrink: users by which likeness is damped.
    """

    def __init__(self, matrix: Any, *, neighbours: int = 100, shrink: float = 10.0) -> None:
        self.together: Array = np.asarray((matrix.T @ matrix).todense())
        self.counts: Array = np.diag(self.together).copy()
        counts = self.counts
        np.fill_diagonal(self.together, 0)
        self.likeness: Array = self.together / (np.sqrt(np.outer(counts, counts)) + shrink + 1e-12)
        if neighbours < len(counts):
            least = np.partition(self.likeness, -neighbours, axis=0)[-neighbours]
            self.likeness = np.where(self.likeness >= least, self.likeness, 0.0)

    def scores(self, history: Sequence[int] | Array) -> Array:
        """How much each item belongs to a history, (items,): the sum of its likeness to the history's items."""
        return np.asarray(self.likeness[:, np.asarray(history, np.int64)].sum(axis=1))

    def pairs(self, *, least: int, most: int) -> list[tuple[int, int]]:
        """Each item that enough users have, and those nearest to it: what texts of items can be taught by.

        Args:
            least: users who have an item at least.
            most: near items of each.
        """
        order = np.argsort(-self.likeness, axis=1, kind="stable")[:, :most]
        items = np.flatnonzero(self.counts >= least).tolist()
        return [(one, int(other)) for one in items for other in order[one] if self.likeness[one, other] > 0]
