"""How well a detector tells texts from outside: AUROC, and how many it lets pass when it keeps 95 % of its own."""

from __future__ import annotations

import numpy as np

from tuneloop.abstaining.base import FloatArray

Interval = tuple[float, float, float]
"""Value, lower and upper bound of the 95 % interval."""

Z = 1.959964
RESAMPLES = 1000


def auroc(inside: FloatArray, outside: FloatArray) -> Interval:
    """How often a text from outside gets the higher score, ties counting half.

    The interval is that of DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated
    receiver operating characteristic curves" (1988), on the logit scale so that it stays between 0 and 1.
    """
    below = _shares_below(inside, outside)
    above = 1 - _shares_below(outside, inside)
    value = float(below.mean())
    variance = _variance(below) / len(outside) + _variance(above) / len(inside)
    if not 0 < value < 1 or variance == 0:
        return value, *_rule_of_three(value, min(len(inside), len(outside)))
    half = Z * float(np.sqrt(variance)) / (value * (1 - value))
    centre = np.log(value / (1 - value))
    low, high = (float(1 / (1 + np.exp(-each))) for each in (centre - half, centre + half))
    return value, low, high


def let_pass(inside: FloatArray, outside: FloatArray, random: np.random.Generator, *, kept: float = 0.95) -> Interval:
    """The share of texts from outside that would be answered if the threshold kept `kept` of the inside ("FPR@95").

    The interval is the percentile bootstrap over both kinds of texts, as the threshold is a matter of chance too.
    """
    value = _passing(inside[None], outside[None], kept)[0]
    drawn = [each[random.integers(0, len(each), (RESAMPLES, len(each)))] for each in (inside, outside)]
    low, high = np.quantile(_passing(drawn[0], drawn[1], kept), (0.025, 0.975))
    if value in (0.0, 1.0):
        low, high = _rule_of_three(float(value), len(outside))
    return float(value), float(low), float(high)


def _passing(inside: FloatArray, outside: FloatArray, kept: float) -> FloatArray:
    """Shares of each row of `outside` (draws, n) not beyond the quantile of the same row of `inside`."""
    limits = np.quantile(inside, kept, axis=1, method="higher")
    shares: FloatArray = (outside <= limits[:, None]).mean(axis=1)
    return shares


def _shares_below(others: FloatArray, scores: FloatArray) -> FloatArray:
    """The share of `others` below each score, equal ones counting half, (n,)."""
    order = np.sort(others)
    places = np.searchsorted(order, scores, "left") + np.searchsorted(order, scores, "right")
    shares: FloatArray = places / (2 * len(others))
    return shares


def _variance(values: FloatArray) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.25


def _rule_of_three(value: float, n: int) -> tuple[float, float]:
    """Bounds where every case fell on one side: 3 of n could still be otherwise."""
    room = min(1.0, 3 / n)
    return max(0.0, value - room), min(1.0, value + room)
