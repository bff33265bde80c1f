"""Is one model's accuracy at most a margin below another's on the same kind of rows? An exact test of pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

NUISANCE = 60
"""Shares of rows on which the models differ, of which the least favourable counts."""

OUTSIDE = 1e-3
"""The chance that the true share lies outside of those that are looked at (Berger and Boos, 1994); it is added to p."""

TAIL = 1e-7
"""The chance of numbers of differing rows that are left out of the sum; it is added to p too."""


def noninferiority_p(only_other: int, only_this: int, rows: int, *, margin: float) -> float:
    """How likely such counts are, at most, if this model's accuracy falls by `margin` or more.

    The score statistic of Tango, "Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design" (1998), with its exact distribution in place of the normal one: the supremum over the share
    of differing rows, which nobody knows, in its 1 - `OUTSIDE` interval. Berger and Sidik, "Exact unconditional tests
    for a 2 x 2 matched-pairs design" (2003); Berger and Boos, "P values maximized over a confidence set for the
    nuisance parameter" (1994). Valid for any number of rows.

    Args:
        only_other: rows that the other model alone answers rightly.
        only_this: rows that this model alone answers rightly.
        rows: all rows, which were drawn independently.
        margin: in (0, 1).
    """
    from scipy.stats import binom

    seen = float(score(only_other, only_this, rows, margin))
    shares = _shares(only_other + only_this, rows, margin)
    low, high = binom.ppf(TAIL / 2, rows, shares[0]), binom.isf(TAIL / 2, rows, shares[-1])
    differing = np.arange(int(max(low, 0)), int(min(high, rows)) + 1)
    most = _most_losses(differing, rows, margin, seen)
    # given how many rows differ, the other model alone is right on a binomial number of them
    losing = (shares + margin) / (2 * shares)
    chances = binom.pmf(differing[None], rows, shares[:, None])
    as_extreme = binom.cdf(most[None], differing[None], losing[:, None])
    return float(min(1.0, (chances * as_extreme).sum(axis=1).max() + OUTSIDE + TAIL))


def score(only_other: ArrayLike, only_this: ArrayLike, rows: int, margin: float) -> Array:
    """Tango's statistic: below 0 where the loss is less than the margin."""
    lost, won = np.asarray(only_other, np.float64), np.asarray(only_this, np.float64)
    b = (2 * rows - lost + won) * margin - lost - won
    c = -won * margin * (1 - margin)
    # the likeliest share of rows that this model alone answers rightly, if the loss is the margin
    q = (np.sqrt(b * b - 8 * rows * c) - b) / (4 * rows)
    return np.asarray((lost - won - rows * margin) / np.sqrt(rows * (2 * q + margin * (1 - margin))))


def _most_losses(differing: NDArray[np.int64], rows: int, margin: float, seen: float) -> NDArray[np.int64]:
    """Of so many differing rows, how many may be lost for a statistic of at most `seen`; -1: none may.

    The statistic grows with every row that is lost instead of won, so they are found by bisection.
    """
    low, high = np.full(len(differing), -1), differing + 1  # may be, may not be
    while (high - low > 1).any():
        middle = (low + high) // 2
        may = score(middle, differing - middle, rows, margin) <= seen + 1e-12
        low, high = np.where(may, middle, low), np.where(may, high, middle)
    return low


def _shares(differing: int, rows: int, margin: float) -> Array:
    """Shares of differing rows, (NUISANCE,), in the exact interval of the true one and possible with this margin."""
    from scipy.stats import beta

    low = beta.ppf(OUTSIDE / 2, differing, rows - differing + 1) if differing else 0.0
    high = beta.isf(OUTSIDE / 2, differing + 1, rows - differing) if differing < rows else 1.0
    return np.linspace(max(float(low), margin), max(float(high), margin), NUISANCE)
