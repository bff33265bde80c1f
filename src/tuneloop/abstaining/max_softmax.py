"""How unsure the model is: Hendrycks and Gimpel, "A baseline for detecting misclassified and out-of-distribution
examples in neural networks" (2017)."""

from __future__ import annotations

from typing import ClassVar

from tuneloop.abstaining.base import FloatArray, LogitDetector, Need, Reading


class MaxSoftmax(LogitDetector):
    """1 less the largest probability."""

    name: ClassVar[str] = "max_softmax"
    needs: ClassVar[Need] = "probabilities"

    def scores(self, reading: Reading) -> FloatArray:
        scores: FloatArray = 1 - reading.probabilities.max(axis=1)
        return scores
