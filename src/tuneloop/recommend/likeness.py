"""How like items are by what is known of them: their vectors, and the facts of a graph that they share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from tuneloop.knowledge.graph import Graph

Array = np.ndarray[Any, np.dtype[Any]]


def cosines(rows: Array) -> Array:
    """The cosine of each two rows (items, dimensions), 0 of an item with itself: (items, items), float32."""
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    likeness: Array = (unit @ unit.T).astype(np.float32)
    np.fill_diagonal(likeness, 0)
    return likeness


def shared_facts(graph: Graph, entities: Sequence[str | None], relation: str) -> Array:
    """In how many tails of a relation each two items agree, such as their actors: (items, items), float32.

    Args:
        entities: of each item; None where the graph does not know it.
        relation: its facts have the items' entities as heads.
    """
    having: dict[str, list[int]] = defaultdict(list)
    for number, entity in enumerate(entities):
        facts = graph.neighbours(entity, relation) if entity is not None else []
        for tail in {fact.tail for fact in facts if fact.head == entity}:
            having[tail].append(number)
    found = np.zeros((len(entities), len(entities)), np.float32)
    for numbers in having.values():
        found[np.ix_(numbers, numbers)] += 1
    np.fill_diagonal(found, 0)
    return found
