"""Whether two explanations of one text say the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TOP_SHARE = 0.2
"""Share of the units that count as the weightiest."""


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Spearman's correlation of two attributions of the same units; None where one of them says nothing."""
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic)


def top_overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Share of the weightiest units that two attributions have in common; `TOP_SHARE` is what chance would give."""
    count = max(1, round(TOP_SHARE * len(one)))
    tops = [set(np.argsort(-np.asarray(values), kind="stable")[:count].tolist()) for values in (one, other)]
    return len(tops[0] & tops[1]) / count
