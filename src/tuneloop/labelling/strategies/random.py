"""Any texts: what every strategy is measured against, and the only choice that leaves figures unbiased."""

from __future__ import annotations

import numpy as np

from tuneloop.labelling.strategies.base import Chosen, Pool, Strategy


class Random(Strategy):
    """Every text with the same chance. The score is 0."""

    name = "random"
    needs = ()

    def choose(self, pool: Pool, count: int, *, seed: int) -> Chosen:
        rows = np.random.default_rng(seed).permutation(len(pool))[:count]
        return Chosen(rows.astype(np.int64), np.zeros(len(rows)))
