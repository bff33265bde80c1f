"""Texts whose most probable class is the least probable."""

from __future__ import annotations

from tuneloop.labelling.strategies.base import FloatArray, Pool, ScoreStrategy


class Uncertainty(ScoreStrategy):
    """Least confidence: 1 - max p.

    Lewis and Gale, "A Sequential Algorithm for Training Text Classifiers" (1994).
    """

    name = "uncertainty"
    needs = ("probabilities",)

    def scores(self, pool: Pool) -> FloatArray:
        found: FloatArray = 1 - pool.get("probabilities").max(axis=1)
        return found
