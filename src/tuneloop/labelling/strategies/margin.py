"""Texts for which two classes are nearly as probable."""

from __future__ import annotations

import numpy as np

from tuneloop.labelling.strategies.base import FloatArray, Pool, ScoreStrategy


class Margin(ScoreStrategy):
    """1 - (p1 - p2), of the two most probable classes; also called breaking ties.

    Scheffer, Decomain and Wrobel, "Active Hidden Markov Models for Information Extraction" (2001).
    """

    name = "margin"
    needs = ("probabilities",)

    def scores(self, pool: Pool) -> FloatArray:
        best = np.sort(pool.get("probabilities"), axis=1)[:, -2:]
        found: FloatArray = 1 - (best[:, 1] - best[:, 0])
        return found
