"""What two ways of searching find, in one order."""

from __future__ import annotations

BM25_SHARE = 0.5
"""Of the fused score."""


def fused(lexical: dict[int, float], cosines: dict[int, float], bm25_share: float) -> dict[int, float]:
    """Both scores in one: each over its largest, weighted.

    The convex combination that Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (2023),
    find better than ranks: the least possible score is 0 for BM25 and -1 for a cosine.
    """
    most = max(lexical.values(), default=0.0) or 1.0
    nearest = max(cosines.values(), default=0.0) + 1.0 or 1.0
    return {
        number: bm25_share * lexical.get(number, 0.0) / most + (1 - bm25_share) * (cosine + 1.0) / nearest
        for number, cosine in cosines.items()
    }
