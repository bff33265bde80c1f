"""What keeps false alarms rare over the whole life of a stream, however often one looks.

A conformal test martingale (Vovk, "Testing randomness online", Statistical Science 36, 2021): somebody bets against the
claim that texts still come from where they came from, with a capital of 1. Each window's p-value is a game: a bet
`k p^(k-1)` pays little for large p and much for small ones, and is fair as p is uniform and independent of all before
(`drift.base`). As long as nothing changes, capital that ever reaches 1 / a has probability a at most (Ville 1939), over
any number of windows; no number of looks has to be fixed, nothing is corrected later.

A bettor who began years ago has little left when something changes. So the capital is spread over bettors who begin at
each window, window n with `1 / log2(n + 1) - 1 / log2(n + 2)` of it, which sums to 1: a mixture of martingales is one
too. It is the sum of Shiryaev and Roberts with a finite purse; see Shin, Ramdas and Rinaldo, "E-detectors" (2022), for
the same sums without one, which bound how often false alarms come, not whether one ever does.
"""

from __future__ import annotations

from math import log2

import numpy as np

BETS = np.array([0.05, 0.1, 0.25, 0.5])
"""The k of the bets, equally many bettors each: bold ones for clear changes, careful ones for slight changes."""

MOST = 1e15
"""Capital of a bettor at which it stops betting, so that numbers stay numbers."""

_TELLING = 2
"""Of the bets, the one whose lowest point says where a change began."""


class Martingale:
    """The capital of all bettors against one stream."""

    def __init__(self) -> None:
        self.windows = 0
        self.since = 1
        """The window, from 1, since which the betting goes best: where a change most likely began."""
        self._running = np.zeros(len(BETS))
        self._gain = 0.0

    @property
    def capital(self) -> float:
        """The capital now; 1 at the beginning, and never expected to grow while nothing changes."""
        return float(self._running.sum()) + 1 / log2(self.windows + 2)

    def bet(self, p: float) -> float:
        """Play one window.

        Args:
            p: its p-value, above 0.

        Returns:
            The capital after it.
        """
        self.windows += 1
        fresh = 1 / log2(self.windows + 1) - 1 / log2(self.windows + 2)
        pays = BETS * p ** (BETS - 1)
        self._running = np.minimum((self._running + fresh / len(BETS)) * pays, MOST)
        if self._gain <= 0:
            self.since, self._gain = self.windows, 0.0
        self._gain += float(np.log(pays[_TELLING]))
        return self.capital
