"""The contract of a detector: what it sees of a text, and how far outside it says the text is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np

FloatArray = np.ndarray[Any, np.dtype[Any]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]
Need = Literal["probabilities", "logits", "vectors"]


@dataclass(frozen=True)
class Reading:
    """What a model makes of n texts.

    Args:
        probabilities: of each class, float32, (n, classes).
        logits: float32, (n, classes); None where the model tells none.
        vectors: what its last layer received, float32, (n, hidden); None where the model tells none.
    """

    probabilities: FloatArray
    logits: FloatArray | None = None
    vectors: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.probabilities)

    def tells(self, need: Need) -> bool:
        """Whether a detector finds what it needs."""
        return getattr(self, need) is not None

    def select(self, rows: Sequence[int] | IntArray) -> Reading:
        """The given texts, in the given order."""
        logits = None if self.logits is None else self.logits[rows]
        return Reading(self.probabilities[rows], logits, None if self.vectors is None else self.vectors[rows])


class Detector(ABC):
    """Tells texts that are unlike the training texts. Its first docstring line says by what."""

    name: ClassVar[str]
    needs: ClassVar[Need]

    @classmethod
    @abstractmethod
    def fit(cls, reading: Reading, labels: IntArray, *, seed: int) -> Self:
        """Learn from training texts and the numbers of their classes, (n,)."""

    @abstractmethod
    def scores(self, reading: Reading) -> FloatArray:
        """How far outside each text is, in no unit, float32, (n,); higher is further."""

    @property
    def tensors(self) -> dict[str, FloatArray]:
        """All that was learnt."""
        return {}

    @classmethod
    @abstractmethod
    def restore(cls, tensors: Mapping[str, FloatArray]) -> Self:
        """The detector that has these tensors.

        Raises:
            KeyError: if one is missing.
        """


class LogitDetector(Detector):
    """A detector that learns nothing."""

    @classmethod
    def fit(cls, reading: Reading, labels: IntArray, *, seed: int) -> Self:
        return cls()

    @classmethod
    def restore(cls, tensors: Mapping[str, FloatArray]) -> Self:
        return cls()
