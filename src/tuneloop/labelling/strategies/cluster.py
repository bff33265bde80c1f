"""Texts that stand for many others, before a single one is labelled."""

from __future__ import annotations

import numpy as np

from tuneloop.labelling.strategies.base import Chosen, FloatArray, IntArray, Pool, Strategy
from tuneloop.labelling.strategies.geometry import clustered, squared_distances, to_unit

MOST_CLUSTERS = 500
NEIGHBOURS = 20
"""Both as in the paper: more clusters would be too small to be dense anywhere."""


class Cluster(Strategy):
    """The most typical text of each cluster that has no label yet, the largest clusters first.

    Hacohen, Dekel and Weinshall, "Active Learning on a Budget: Opposite Strategies Suit High and Low Budgets" (2022),
    TypiClust with k-means. A text is as typical as it is near to its neighbours in its cluster: the score is 1 / their
    mean distance. No labels and no tuned model are needed.
    """

    name = "cluster"
    needs = ("vectors",)
    looks_at_labelled = True

    def choose(self, pool: Pool, count: int, *, seed: int) -> Chosen:
        own = to_unit(pool.get("vectors"))
        known = own[:0] if pool.labelled_vectors is None else to_unit(pool.labelled_vectors)
        both = np.concatenate([own, known])
        groups, _ = clustered(both, min(MOST_CLUSTERS, count + len(known)), seed=seed)
        clusters = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        queues = [_typical(both, members, len(own)) for members in clusters]
        labelled = np.array([(members >= len(own)).sum() for members in clusters])
        sizes = np.array([len(members) for members in clusters])
        turns = list(np.lexsort((-sizes, labelled)))
        rows: list[int] = []
        scores: list[float] = []
        while turns and len(rows) < count:
            turn = turns.pop(0)
            if queues[turn]:
                row, score = queues[turn].pop(0)
                rows.append(row)
                scores.append(score)
                turns.append(turn)
        return Chosen(np.array(rows, dtype=np.int64), np.array(scores))


def _typical(vectors: FloatArray, members: IntArray, size: int) -> list[tuple[int, float]]:
    """Unlabelled rows of a cluster with how typical they are, the most typical first."""
    inside = vectors[members]
    count = min(NEIGHBOURS, len(members) - 1)
    if count < 1:
        return [(int(row), 0.0) for row in members if row < size]
    found = []
    for start in range(0, len(members), 1024):  # a cluster may be the whole pool
        distances = np.sqrt(squared_distances(inside[start : start + 1024], inside))
        found.append(1 / np.maximum(np.sort(distances, axis=1)[:, 1 : count + 1].mean(axis=1), 1e-6))
    scores = np.concatenate(found)
    order = np.argsort(-scores, kind="stable")
    return [(int(members[at]), float(scores[at])) for at in order if members[at] < size]
