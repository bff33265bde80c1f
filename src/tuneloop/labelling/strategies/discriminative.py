"""Texts that a classifier tells from the labelled ones."""

from __future__ import annotations

import numpy as np

from tuneloop.labelling.strategies.base import Chosen, FloatArray, IntArray, Pool, Strategy
from tuneloop.labelling.strategies.geometry import to_unit

ROUNDS = 10
"""How often the classifier is fitted anew while a batch is chosen, each time with what was chosen as labelled."""


class Discriminative(Strategy):
    """The texts that are most surely unlabelled, by a logistic regression of labelled against unlabelled ones.

    Gissin and Shalev-Shwartz, "Discriminative Active Learning" (2019), algorithm 1. The score is the probability of
    being unlabelled when a text was chosen.
    """

    name = "discriminative"
    needs = ("vectors", "labelled_vectors")
    looks_at_labelled = True

    def choose(self, pool: Pool, count: int, *, seed: int) -> Chosen:
        vectors, known = to_unit(pool.get("vectors")), to_unit(pool.get("labelled_vectors"))
        left, rows, scores = np.arange(len(pool)), [], []
        for part in np.array_split(np.arange(min(count, len(pool))), min(ROUNDS, count)):
            if not len(part):
                continue
            unlabelled = _unlabelled(vectors[left], known, seed=seed)
            best = np.argsort(-unlabelled, kind="stable")[: len(part)]
            rows.append(left[best])
            scores.append(unlabelled[best])
            known = np.concatenate([known, vectors[left[best]]])
            left = np.delete(left, best)
        return Chosen(_joined(rows).astype(np.int64), _joined(scores))


def _unlabelled(vectors: FloatArray, known: FloatArray, *, seed: int) -> FloatArray:
    """The probability of each vector to be none of the labelled ones, both sides weighing the same, (n,)."""
    from sklearn.linear_model import LogisticRegression

    sides = np.concatenate([np.ones(len(vectors), dtype=int), np.zeros(len(known), dtype=int)])
    model = LogisticRegression(class_weight="balanced", max_iter=200, random_state=seed)
    model.fit(np.concatenate([vectors, known]), sides)
    found: FloatArray = model.predict_proba(vectors)[:, 1]
    return found


def _joined(parts: list[FloatArray] | list[IntArray]) -> FloatArray:
    return np.concatenate(parts) if parts else np.zeros(0)
