"""The contract of a strategy: what it sees of texts, and which of them it wants labelled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

FloatArray = np.ndarray[Any, np.dtype[Any]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]
Need = Literal["probabilities", "vectors", "draws", "labelled_probabilities", "labelled_vectors"]
Diversity = Literal["none", "kmeans", "centers"]

CANDIDATES = 10
"""Texts of high score, for each that is wanted, among which a diverse batch is chosen: beta of Zhdanov (2019)."""


@dataclass(frozen=True)
class Pool:
    """What is known of n texts without labels, and of m with labels.

    Args:
        size: n.
        probabilities: of each class, which sum to 1, float32, (n, classes).
        vectors: of the texts, float32, (n, hidden).
        draws: probabilities of several stochastic passes, float32, (passes, n, classes).
        labelled_probabilities: of the labelled texts, (m, classes).
        labelled_vectors: of the labelled texts, (m, hidden).
    """

    size: int
    probabilities: FloatArray | None = None
    vectors: FloatArray | None = None
    draws: FloatArray | None = None
    labelled_probabilities: FloatArray | None = None
    labelled_vectors: FloatArray | None = None

    def __len__(self) -> int:
        return self.size

    def get(self, need: Need) -> FloatArray:
        """What a strategy needs.

        Raises:
            ValueError: if the pool was made without it.
        """
        found: FloatArray | None = getattr(self, need)
        if found is None:
            raise ValueError(f"the pool has no {need}")
        return found


@dataclass(frozen=True)
class Chosen:
    """Texts of a pool, the most wanted first.

    Args:
        rows: their numbers in the pool, int64, (count,).
        scores: how much each is wanted, on the strategy's own scale, (count,).
    """

    rows: IntArray
    scores: FloatArray


class Strategy(ABC):
    """One way to choose. Its docstring names the paper."""

    name: ClassVar[str]
    needs: ClassVar[tuple[Need, ...]]
    looks_at_labelled: bool = False
    """Whether it looks at labelled texts; else nobody need read them."""

    @abstractmethod
    def choose(self, pool: Pool, count: int, *, seed: int) -> Chosen:
        """`count` texts of the pool, fewer where it has fewer."""


class ScoreStrategy(Strategy):
    """A strategy that judges each text alone, so that a batch of it may say the same many times.

    Args:
        diversity: how a batch is chosen among the `CANDIDATES` times as many texts of highest score: not at all, by
            k-means weighted by score (Zhdanov, "Diverse mini-batch Active Learning", 2019), or by k-center.
    """

    def __init__(self, diversity: Diversity = "none") -> None:
        self.diversity = diversity
        self.looks_at_labelled = self.looks_at_labelled or diversity == "centers"

    @abstractmethod
    def scores(self, pool: Pool) -> FloatArray:
        """How much each text is wanted, (n,); higher is more."""

    def choose(self, pool: Pool, count: int, *, seed: int) -> Chosen:
        """The texts of highest score; the seed says which of equal ones."""
        scores = self.scores(pool)
        ranked = by_score(scores, seed)
        if self.diversity == "none" or count >= len(pool):
            rows = ranked[:count]
        else:
            rows = self._spread(pool, ranked[: CANDIDATES * count], scores, count, seed)
        return Chosen(rows, scores[rows])

    def _spread(self, pool: Pool, best: IntArray, scores: FloatArray, count: int, seed: int) -> IntArray:
        from tuneloop.labelling.strategies.geometry import k_center, kmeans_nearest, to_unit

        vectors = to_unit(pool.get("vectors")[best])
        if self.diversity == "kmeans":
            picked = kmeans_nearest(vectors, count, seed=seed, weights=np.maximum(scores[best], 1e-6))
        else:
            known = pool.labelled_vectors
            picked, _ = k_center(vectors, None if known is None else to_unit(known), count)
        return best[np.sort(picked)]


def by_score(scores: FloatArray, seed: int) -> IntArray:
    """Rows, the highest score first; equal ones in an order that the seed draws."""
    ties = np.random.default_rng(seed).permutation(len(scores))
    return ties[np.argsort(-scores[ties], kind="stable")].astype(np.int64)
