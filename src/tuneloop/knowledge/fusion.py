"""What two ways of searching find, in one order."""

from __future__ import annotations

BM25_SHARE = 0.4
"""Of the fused score; chosen on the dev half of `python -m benchmarks.knowledge`."""


def fused(
    lexical: dict[int, float], cosines: dict[int, float], *, most: float, known: float, bm25_share: float = BM25_SHARE
) -> dict[int, float]:
    """Both scores in one, weighted: BM25 over the most that the question's words allow, and the cosine.

    A convex combination, which Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (2023),
    find better than ranks. They divide by the largest score that was found; over the largest possible one, a question
    whose rare words stand nowhere is decided by its meaning.

    Args:
        lexical: BM25 of the chunks that have a word of the question.
        cosines: of all chunks.
        most: BM25 that no chunk can exceed.
        known: see `understood`.
    """
    meant = (1 - bm25_share) * understood(known)
    return {
        number: bm25_share * lexical.get(number, 0.0) / (most or 1.0) + meant * cosine
        for number, cosine in cosines.items()
    }


def understood(known: float) -> float:
    """What a cosine counts if the embedding model knows this share of a question's tokens, 0 to 1.

    Squared: a passage in the same language lacks as many. A model that reads no Chinese leaves it to the words.
    """
    return known * known
