"""Which texts each optimiser step takes, and after which steps dev is judged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tuneloop.core.config import TrainingConfig
    from tuneloop.methods.base import GradientMethod
    from tuneloop.methods.split import Split

    IntArray = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Steps:
    """The steps of a run: a pure function of the method, the texts, the settings and the seed."""

    method: GradientMethod
    split: Split
    config: TrainingConfig
    seed: int

    def batches(self, epoch: int) -> list[IntArray]:
        """The rows of each step of an epoch."""
        return self.method.batches(self.split, batch_size=self.config.batch_size, seed=self.seed, epoch=epoch)

    @cached_property
    def per_epoch(self) -> int:
        """Optimiser steps of one epoch."""
        return len(self.batches(0))

    @cached_property
    def total(self) -> int:
        """Optimiser steps of the run."""
        return max(1, round(self.per_epoch * self.config.epochs))

    @cached_property
    def due(self) -> set[int]:
        """After which steps dev is evaluated; the last is always among them."""
        spacing = self.per_epoch / self.config.evaluations_per_epoch
        return {round(spacing * number) for number in range(1, int(self.total / spacing) + 1)} - {0} | {self.total}

    def since(self, start: int) -> Iterator[tuple[int, IntArray]]:
        """The number and rows of every step from `start` on."""
        for epoch in range(start // self.per_epoch, math.ceil(self.total / self.per_epoch)):
            batches, first = self.batches(epoch), epoch * self.per_epoch
            for step in range(max(start, first), min(self.total, first + self.per_epoch)):
                yield step, batches[step - first]
