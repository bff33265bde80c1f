"""Where texts lie among the model's vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.watch.base import Event
from tuneloop.watch.drift.base import Detector, Effect, Rows, counted, dealt


class Vectors(Detector):
    """What detectors of vectors share."""

    most_past = 400

    def measure(self, events: Sequence[Event]) -> Rows:
        rows = [event.vector for event in events if event.vector is not None]
        return np.array(rows, dtype=np.float32) if rows else np.zeros((0, 1), np.float32)


class Embedding(Vectors):
    """The maximum mean discrepancy of vectors, with permutations.

    Gretton et al., "A Kernel Two-Sample Test", JMLR 13 (2012), eq. 5, with a Gaussian kernel as wide as the median
    distance of all rows, those of the window among them, so that the width does not tell one from the other.
    """

    name = "embedding"

    def p_value(self, past: Rows, window: Rows, random: np.random.Generator) -> float:
        return discrepancy_p(gaussian(np.concatenate([past, window])), len(window), random)

    def effect(self, reference: Sequence[Event], window: Sequence[Event]) -> Effect | None:
        before, now = self.measure(reference), self.measure(window)
        if len(before) < 2 or not len(now):
            return None
        spread = float(np.sqrt(before.var(axis=0).sum())) or 1.0
        return Effect(float(np.linalg.norm(now.mean(axis=0) - before.mean(axis=0))) / spread, 0.0)

    @classmethod
    def title(cls) -> str:
        return t("meaning of texts")

    @classmethod
    def sentence(cls, effect: Mapping[str, Any]) -> str:
        return t(
            "the centre of the texts' vectors has moved by {now:.2f} times the spread of the reference",
            now=effect["value"],
        )


def gaussian(rows: Rows) -> Any:
    """Kernel of all pairs of rows, float32, (n, n)."""
    lengths = (rows**2).sum(axis=1)
    distances = np.maximum(lengths[:, None] + lengths[None] - 2 * rows @ rows.T, 0)
    width = float(np.median(distances)) or 1.0
    return np.exp(-distances / width).astype(np.float32)


def discrepancy_p(kernel: Any, size: int, random: np.random.Generator) -> float:
    """The p-value of the biased squared discrepancy of the last `size` rows from the others, by permutations."""
    n = len(kernel)
    marks = dealt(n, size, random)
    rest = n - size
    inside = np.einsum("pn,pn->p", marks @ kernel, marks).astype(np.float64)
    sums = marks.astype(np.float64) @ kernel.sum(axis=1, dtype=np.float64)
    total = float(kernel.sum(dtype=np.float64))
    found = inside / size**2 + (total - 2 * sums + inside) / rest**2 - 2 * (sums - inside) / (size * rest)
    return counted(found[1:], float(found[0]))
