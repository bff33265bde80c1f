"""How far the nearest training texts are: Sun et al., "Out-of-distribution detection with deep nearest neighbors"
(2022), algorithm 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np

from tuneloop.abstaining.base import Detector, FloatArray, IntArray, Need, Reading

K = 10
"""Which neighbour counts: the paper takes 10 where it keeps a hundredth of its images."""

REFERENCES = 2000
"""Training texts that are kept at most."""

CHUNK = 1024
"""Texts whose distances are held in memory at a time."""


class Neighbours(Detector):
    """The distance to the tenth nearest of some training texts, all vectors brought to length 1.

    Args:
        references: their vectors, float16, (texts, hidden).
    """

    name: ClassVar[str] = "neighbours"
    needs: ClassVar[Need] = "vectors"

    def __init__(self, references: FloatArray) -> None:
        self.references = references
        self._wide = references.astype(np.float32)

    @classmethod
    def fit(cls, reading: Reading, labels: IntArray, *, seed: int) -> Self:
        assert reading.vectors is not None
        rows = np.random.default_rng(seed).permutation(len(reading))[:REFERENCES]
        return cls(_unit(reading.vectors[rows]).astype(np.float16))

    def scores(self, reading: Reading) -> FloatArray:
        assert reading.vectors is not None
        chunks = [reading.vectors[start : start + CHUNK] for start in range(0, len(reading), CHUNK)]
        return np.concatenate([self._distances(chunk) for chunk in chunks]) if chunks else np.zeros(0, np.float32)

    def _distances(self, vectors: FloatArray) -> FloatArray:
        likeness = _unit(vectors) @ self._wide.T
        place = max(0, likeness.shape[1] - K)
        kth = np.partition(likeness, place, axis=1)[:, place]
        distances: FloatArray = np.sqrt(np.maximum(0, 2 - 2 * kth))
        return distances

    @property
    def tensors(self) -> dict[str, FloatArray]:
        return {"references": self.references}

    @classmethod
    def restore(cls, tensors: Mapping[str, FloatArray]) -> Self:
        return cls(tensors["references"])


def _unit(vectors: FloatArray) -> FloatArray:
    unit: FloatArray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
