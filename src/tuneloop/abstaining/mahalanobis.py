"""How far a text's vector lies from the nearest class: Lee et al., "A simple unified framework for detecting
out-of-distribution samples and adversarial attacks" (2018), equations 1 and 2, for the last layer alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np

from tuneloop.abstaining.base import Detector, FloatArray, IntArray, Need, Reading


class Mahalanobis(Detector):
    """The squared Mahalanobis distance to the nearest class mean, with one covariance for all classes.

    The covariance is shrunk as Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance
    matrices" (2004), say, so that it has an inverse however few the texts are.

    Args:
        means: of the classes that have texts, float32, (classes, hidden).
        whitening: W of the inverse covariance W W^T, float32, (hidden, hidden).
    """

    name: ClassVar[str] = "mahalanobis"
    needs: ClassVar[Need] = "vectors"

    def __init__(self, means: FloatArray, whitening: FloatArray) -> None:
        self.means, self.whitening = means, whitening

    @classmethod
    def fit(cls, reading: Reading, labels: IntArray, *, seed: int) -> Self:
        from sklearn.covariance import ledoit_wolf

        assert reading.vectors is not None
        vectors = reading.vectors.astype(np.float64)
        known, rows = np.unique(labels, return_inverse=True)
        means = np.stack([vectors[rows == number].mean(axis=0) for number in range(len(known))])
        covariance, _ = ledoit_wolf(vectors - means[rows], assume_centered=True)
        # values that never vary have no scale of their own
        covariance += np.eye(len(covariance)) * max(1e-6 * np.trace(covariance) / len(covariance), 1e-12)
        whitening = np.linalg.cholesky(np.linalg.inv(covariance))
        return cls(means.astype(np.float32), whitening.astype(np.float32))

    def scores(self, reading: Reading) -> FloatArray:
        assert reading.vectors is not None
        white, centres = reading.vectors @ self.whitening, self.means @ self.whitening
        distances = [((white - centre) ** 2).sum(axis=1) for centre in centres]
        nearest: FloatArray = np.min(distances, axis=0)
        return nearest

    @property
    def tensors(self) -> dict[str, FloatArray]:
        return {"means": self.means, "whitening": self.whitening}

    @classmethod
    def restore(cls, tensors: Mapping[str, FloatArray]) -> Self:
        return cls(tensors["means"], tensors["whitening"])
