"""Texts of which the model knows least altogether."""

from __future__ import annotations

import numpy as np

from tuneloop.labelling.strategies.base import FloatArray, Pool, ScoreStrategy


class Entropy(ScoreStrategy):
    """Entropy of the probabilities, in nats.

    Shannon, "A Mathematical Theory of Communication" (1948); Settles, "Active Learning Literature Survey" (2009),
    section 3.1.
    """

    name = "entropy"
    needs = ("probabilities",)

    def scores(self, pool: Pool) -> FloatArray:
        return entropy(pool.get("probabilities"))


def entropy(probabilities: FloatArray) -> FloatArray:
    """- sum p log p over the last axis, in nats."""
    found: FloatArray = -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=-1)
    return found
