"""Texts about which stochastic passes of one model contradict each other."""

from __future__ import annotations

from tuneloop.labelling.strategies.base import FloatArray, Pool, ScoreStrategy
from tuneloop.labelling.strategies.entropy import entropy


class Bald(ScoreStrategy):
    """Mutual information of answer and weights: entropy of the mean less the mean entropy, in nats.

    Houlsby, Huszar, Ghahramani and Lengyel, "Bayesian Active Learning for Classification and Preference Learning"
    (2011), with dropout as in Gal, Islam and Ghahramani, "Deep Bayesian Active Learning with Image Data" (2017).
    """

    name = "bald"
    needs = ("draws",)

    def scores(self, pool: Pool) -> FloatArray:
        draws = pool.get("draws")
        found: FloatArray = entropy(draws.mean(axis=0)) - entropy(draws).mean(axis=0)
        return found
