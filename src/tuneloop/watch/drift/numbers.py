"""What confidence, length and latency share: one number an event."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from tuneloop.watch.base import Event
from tuneloop.watch.drift.base import Detector, Effect, Rows


class Numbers(Detector):
    """The two-sample test of Kolmogorov and Smirnov, exact: it asks for no distribution; ties only make p larger."""

    @abstractmethod
    def number_of(self, event: Event) -> float | None:
        """The number of an event; None if it has none."""

    def middle(self, numbers: Rows) -> float:
        """The figure that stands for many numbers."""
        return float(np.median(numbers))

    def measure(self, events: Sequence[Event]) -> Rows:
        return np.array([number for event in events if (number := self.number_of(event)) is not None], dtype=np.float64)

    def p_value(self, past: Rows, window: Rows, random: np.random.Generator) -> float:
        from scipy.stats import ks_2samp

        return max(float(ks_2samp(window, past, method="exact").pvalue), 1e-300)

    def effect(self, reference: Sequence[Event], window: Sequence[Event]) -> Effect | None:
        before, now = self.measure(reference), self.measure(window)
        return Effect(self.middle(now), self.middle(before)) if len(before) and len(now) else None


def change(now: float, before: float) -> float:
    """The change as a share of what was: 0.38 says 38 % more; 0 where nothing was."""
    return now / before - 1 if before else 0.0
