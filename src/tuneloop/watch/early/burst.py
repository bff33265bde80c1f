"""Whether something happens more often than it used to, told as early as the allowed false alarms let.

The counts of hours, say, are compared with a negative binomial of the earlier hours: its mean is their rate times the
texts of the hour, its shape holds both that the rate is known from so many hits only (the predictive of a Gamma prior)
and that counts scatter more than Poisson's. A burst multiplies the mean by some of `TIMES`. Since nobody knows when it
begins, the likelihood ratios of all beginnings are added: the procedure of Shiryaev and Roberts (Pollak, "Optimal
Detection of a Change in Distribution", Annals of Statistics 13, 1985). While nothing bursts and the model holds, the
sum less the number of hours is a martingale, so the mean time to a false alarm is at least the bar, in hours.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

TIMES = np.array([2.0, 4.0, 8.0])
"""How many times as often a burst may be; equally likely."""

HISTORY = 500
"""Buckets of time that the rate is learnt from, at most."""

FEWEST = 24
"""Buckets of time before which nothing is told."""

LONGEST = 48
"""Buckets of a burst after which it counts as the new normal."""


@dataclass(frozen=True)
class Seen:
    """What is said of a bucket of time.

    Args:
        alarm: whether the bar is reached.
        since: buckets, this one included, since which more was seen than expected.
        expected: hits that were to be expected in this bucket.
    """

    alarm: bool
    since: int
    expected: float


class Burst:
    """Watches one count.

    Args:
        bar: buckets of time from one false alarm to the next, on average at least.
    """

    def __init__(self, bar: float) -> None:
        self._bar = bar
        self._known: deque[tuple[int, int]] = deque(maxlen=HISTORY)
        self._open: list[tuple[int, int]] = []
        self._sum = np.zeros(len(TIMES))
        self._gain = 0.0
        self._told = False

    def add(self, hits: int, texts: int) -> Seen:
        """Take the next bucket of time.

        Args:
            hits: texts of the kind that is watched.
            texts: all texts.
        """
        if len(self._known) < FEWEST or not texts:
            if texts:
                self._known.append((hits, texts))
            return Seen(False, 0, 0.0)
        mean, shape = self._expected(texts)
        ratios = likelihood_ratios(hits, mean, shape)
        self._sum = (1 + self._sum) * ratios
        self._gain = max(0.0, self._gain) + float(np.log(ratios.mean()))
        self._open.append((hits, texts))
        if self._gain <= 0 or len(self._open) > LONGEST:  # no burst goes on: what was seen is as usual
            self._known.extend(self._open)
            self._open, self._gain, self._told = [], 0.0, False
        since = len(self._open)
        reached = bool(self._sum.mean() >= self._bar)
        alarm = reached and not self._told  # a burst that goes on is told once
        if reached:
            self._sum, self._told = np.zeros(len(TIMES)), True
        return Seen(alarm, since, mean)

    def _expected(self, texts: int) -> tuple[float, float]:
        """Mean and shape of the negative binomial."""
        hits, sizes = np.array(self._known, dtype=float).T
        evidence = hits.sum() + 0.5
        rate = evidence / sizes.sum()
        means = rate * sizes
        scatter = float(((hits - means) ** 2 / means).sum() / (len(hits) - 1))
        loose = float(means.mean()) / (scatter - 1) if scatter > 1 else np.inf
        return float(rate * texts), 1 / (1 / evidence + 1 / loose)


def likelihood_ratios(hits: int, mean: float, shape: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Of negative binomials with `TIMES` as large a mean and the same shape, to the one with this mean, (times,)."""
    return np.asarray(TIMES**hits * ((shape + mean) / (shape + TIMES * mean)) ** (hits + shape))
