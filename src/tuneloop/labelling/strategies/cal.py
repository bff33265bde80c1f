"""Texts of which the model thinks otherwise than of the labelled ones beside them."""

from __future__ import annotations

import numpy as np

from tuneloop.labelling.strategies.base import FloatArray, Pool, ScoreStrategy
from tuneloop.labelling.strategies.geometry import chunks, squared_distances, to_unit

NEIGHBOURS = 10
"""Labelled texts that a text is compared with, as in the paper."""


class Contrastive(ScoreStrategy):
    """Mean divergence KL(p of a labelled neighbour || p), in nats, over the nearest labelled texts.

    Margatina, Vernikos, Barrault and Aletras, "Active Learning by Acquiring Contrastive Examples" (2021).
    """

    name = "cal"
    needs = ("probabilities", "vectors", "labelled_probabilities", "labelled_vectors")
    looks_at_labelled = True

    def scores(self, pool: Pool) -> FloatArray:
        logs = np.log(np.maximum(pool.get("probabilities"), 1e-12))
        theirs = np.maximum(pool.get("labelled_probabilities"), 1e-12)
        own = (theirs * np.log(theirs)).sum(axis=1)
        vectors, labelled = to_unit(pool.get("vectors")), to_unit(pool.get("labelled_vectors"))
        count = min(NEIGHBOURS, len(labelled))
        found = np.zeros(len(pool))
        for rows in chunks(len(pool)):
            near = np.argpartition(squared_distances(vectors[rows], labelled), count - 1, axis=1)[:, :count]
            cross = np.einsum("nkc,nc->nk", theirs[near], logs[rows])
            found[rows] = (own[near] - cross).mean(axis=1)
        return found
