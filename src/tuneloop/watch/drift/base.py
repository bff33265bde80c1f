"""The contract of a detector: what it measures of events, how unlikely a window is, how large the change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from tuneloop.watch.base import Event

Rows = Any
"""One row for each event that has what the detector measures: an array, (n,) or (n, k), or a sparse matrix."""

PERMUTATIONS = 1999
"""Ways in which texts are dealt anew, where a p-value is counted."""


@dataclass(frozen=True)
class Effect:
    """How large a change is, in plain units.

    Args:
        value: the figure of the window, such as the mean confidence.
        reference: the same figure of the reference.
        details: what its sentence names beside them, plain JSON.
    """

    value: float
    reference: float
    details: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"value": self.value, "reference": self.reference, **self.details}


class Detector(ABC):
    """One thing that may change. Its first docstring line says which.

    A p-value compares a window with a random choice of all that came before it, the reference included. It must be
    exact: with `past` and `window` dealt anew at random out of the same rows, P(p <= a) <= a for every a. Then p-values
    of one stream are independent, which is what the martingale needs: each is a rank among all orders of what is there
    by then, and the earlier ones hang on the order of what came before alone (Vovk, Gammerman and Shafer, "Algorithmic
    Learning in a Random World", 2005, chapter 8, for single texts). So `p_value` must not hang on the order of `past`.
    """

    name: ClassVar[str]
    fewest: ClassVar[int] = 20
    """Rows of a window or of the past below which nothing is tested."""
    most_past: ClassVar[int] = 2000
    """Rows of the past that a window is compared with, at most."""

    @abstractmethod
    def measure(self, events: Sequence[Event]) -> Rows:
        """What it compares, a row for each event that tells it, in order."""

    @abstractmethod
    def p_value(self, past: Rows, window: Rows, random: np.random.Generator) -> float:
        """The chance of a window at least as unlike the past, were both from one source; above 0, at most 1."""

    @abstractmethod
    def effect(self, reference: Sequence[Event], window: Sequence[Event]) -> Effect | None:
        """How far a window is from the reference; None where one of them does not tell."""

    @classmethod
    @abstractmethod
    def title(cls) -> str:
        """What is watched, in the language in force."""

    @classmethod
    @abstractmethod
    def sentence(cls, effect: Mapping[str, Any]) -> str:
        """An effect's JSON in words, in the language in force."""


def taken(rows: Rows, numbers: Any) -> Rows:
    """Some of the rows."""
    return rows[numbers]


def joined(parts: Sequence[Rows]) -> Rows:
    """All rows below each other."""
    from scipy import sparse

    if any(sparse.issparse(part) for part in parts):
        return sparse.vstack(parts, format="csr")
    return np.concatenate(parts)


def counted(statistics: Any, observed: float) -> float:
    """The p-value by permutations (Phipson and Smyth 2010): never 0.

    Args:
        statistics: of rows dealt anew, (permutations,); larger is more unlike.
        observed: of the rows as they came. What differs by rounding alone counts as equal.
    """
    slack = 1e-9 * max(1.0, abs(observed))
    return float((1 + (np.asarray(statistics) >= observed - slack).sum()) / (1 + len(statistics)))


def dealt(n: int, size: int, random: np.random.Generator, *, permutations: int = PERMUTATIONS) -> Any:
    """Random choices of `size` out of n rows, 0 or 1, float32, (permutations + 1, n); the first is the last rows."""
    marks = np.zeros((permutations + 1, n), dtype=np.float32)
    marks[0, n - size :] = 1
    order = random.random((permutations, n)).argpartition(size, axis=1)[:, :size] if size < n else np.arange(n)[None]
    np.put_along_axis(marks[1:], np.broadcast_to(order, (permutations, size)), 1, axis=1)
    return marks
