"""How sure an answer is, and whether too many of them change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuneloop.tasks.base import Prediction

SIGNIFICANT = 0.05


def sureness(prediction: Prediction) -> float:
    """The probability of the likeliest class."""
    return max(prediction.probabilities.values(), default=0.0)


def beyond(count: int, n: int, limit: float, *, looked_at: int) -> bool:
    """Whether a share is significantly above a limit: the exact binomial test, corrected by Bonferroni."""
    from scipy.stats import binomtest

    if not n or count <= limit * n:
        return False
    pvalue: Any = binomtest(count, n, limit, alternative="greater").pvalue
    return float(pvalue) * looked_at < SIGNIFICANT
