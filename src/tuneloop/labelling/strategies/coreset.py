"""Texts that are far from all that is labelled."""

from __future__ import annotations

from tuneloop.labelling.strategies.base import Chosen, Pool, Strategy
from tuneloop.labelling.strategies.geometry import k_center, to_unit


class Coreset(Strategy):
    """Greedy k-center: the next text is the one farthest from the labelled and the chosen ones.

    Sener and Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach" (2018), algorithm 1,
    with vectors of length 1. The score is the distance.
    """

    name = "coreset"
    needs = ("vectors",)
    looks_at_labelled = True

    def choose(self, pool: Pool, count: int, *, seed: int) -> Chosen:
        known = pool.labelled_vectors
        return Chosen(*k_center(to_unit(pool.get("vectors")), None if known is None else to_unit(known), count))
