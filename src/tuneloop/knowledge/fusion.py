"""What two ways of searching find, in one order."""

from __future__ import annotations

EVEN_WORDS = 4.0
"""Content words of a question at which words and meaning count alike; chosen on the dev half of
`python -m benchmarks.knowledge`."""


def fused(
    lexical: dict[int, float],
    cosines: dict[int, float],
    *,
    most: float,
    known: float,
    asked: int,
    even_words: float = EVEN_WORDS,
) -> dict[int, float]:
    """Both scores in one, weighted: BM25 over the most that the question's words allow, and the cosine.

    A convex combination, which Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (2023),
    find better than ranks. They divide by the largest score that was found; over the largest possible one, a question
    whose rare words stand nowhere is decided by its meaning. They weigh all questions alike; here the words count more
    the more of them are asked for, n / (n + even_words): one or two words of small talk stand in a passage by chance.

    Args:
        lexical: BM25 of the chunks that have a word of the question.
        cosines: of all chunks.
        most: BM25 that no chunk can exceed.
        known: see `understood`.
        asked: distinct content words of the question.
    """
    by_words = asked / (asked + even_words)
    meant = (1 - by_words) * understood(known)
    return {
        number: by_words * lexical.get(number, 0.0) / (most or 1.0) + meant * cosine
        for number, cosine in cosines.items()
    }


def understood(known: float) -> float:
    """What a cosine counts if the embedding model knows this share of a question's tokens, 0 to 1.

    Squared: a passage in the same language lacks as many. A model that reads no Chinese leaves it to the words.
    """
    return known * known
