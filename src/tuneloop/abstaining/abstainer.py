"""What turns a model's reading of a text into "this text is none of mine" and a set of plausible classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from tuneloop.abstaining.base import Detector, FloatArray, Reading
from tuneloop.abstaining.conformal import LabelSets

if TYPE_CHECKING:
    from tuneloop.tasks.base import Prediction


@dataclass(frozen=True)
class Calibrated:
    """A detector whose scores have a meaning.

    Args:
        detector: what gives them.
        inside: its scores of rows of dev, sorted, (rows,).
    """

    detector: Detector
    inside: FloatArray

    @classmethod
    def on(cls, detector: Detector, dev: Reading) -> Self:
        """The detector beside its scores of dev."""
        return cls(detector, np.sort(detector.scores(dev)).astype(np.float32))

    def outside(self, reading: Reading) -> FloatArray:
        """1 less the conformal p-value of each text, from 0 to below 1, (n,).

        The p-value is (1 + rows of dev that are at least as far outside) / (1 + rows of dev): a text of the model's own
        kind has one of at most a with a probability of at most a. Bates et al., "Testing for outliers with conformal
        p-values" (2023), equation 1.
        """
        n = len(self.inside)
        scores = self.detector.scores(reading).astype(np.float32)
        further = n - np.searchsorted(self.inside, scores, "left")
        shares: FloatArray = 1 - (1 + further) / (1 + n)
        return shares


@dataclass(frozen=True)
class Abstainer:
    """When to abstain, and between which classes to waver.

    Args:
        detectors: the better ones first; the first whose needs the model meets is used; none never abstains.
        false_alarms: the share of the model's own texts that may be refused.
        sets: None gives no sets.
    """

    detectors: tuple[Calibrated, ...]
    false_alarms: float
    sets: LabelSets | None = None

    def wants_vectors(self, *, there: bool) -> bool:
        """Whether a model is asked for vectors, which not every engine has."""
        return there and bool(self.detectors) and self.detectors[0].detector.needs == "vectors"

    def used(self, reading: Reading) -> Calibrated | None:
        """The detector that judges this reading."""
        return next((each for each in self.detectors if reading.tells(each.detector.needs)), None)

    def judged(self, predictions: Sequence[Prediction], reading: Reading, labels: Sequence[str]) -> list[Prediction]:
        """The predictions, each with how far outside its text is, whether it is refused, and its set."""
        found = list(predictions)
        used = self.used(reading)
        if used is not None and found:
            told = used.outside(reading).tolist()
            # p <= false_alarms, whatever the last digit of a float
            limit = 1 - self.false_alarms - 1e-9
            found = [
                replace(each, outside=share, abstained=share >= limit) for each, share in zip(found, told, strict=True)
            ]
        if self.sets is not None and found:
            members = self.sets.holds(reading.probabilities)
            sets = [tuple(name for name, held in zip(labels, row, strict=True) if held) for row in members]
            found = [replace(each, plausible=names) for each, names in zip(found, sets, strict=True)]
        return found


def rows_needed(false_alarms: float) -> int:
    """Rows of dev without which no text could ever be refused."""
    return int(np.ceil(1 / false_alarms - 1e-9)) - 1
