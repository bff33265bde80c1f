"""How little any class is backed: Liu et al., "Energy-based out-of-distribution detection" (2020), equation 4."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from tuneloop.abstaining.base import FloatArray, LogitDetector, Need, Reading


class Energy(LogitDetector):
    """The negative logarithm of the sum of the exponentials of the logits, at temperature 1."""

    name: ClassVar[str] = "energy"
    needs: ClassVar[Need] = "logits"

    def scores(self, reading: Reading) -> FloatArray:
        assert reading.logits is not None
        largest = reading.logits.max(axis=1)
        scores: FloatArray = -(largest + np.log(np.exp(reading.logits - largest[:, None]).sum(axis=1)))
        return scores
