"""What labels and languages share: how often each of a few names comes."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.watch.base import Event
from tuneloop.watch.drift.base import Detector, Effect, Rows, counted

DEALS = 9999
"""Tables of the same margins behind a p-value; they are drawn quickly."""


class Categories(Detector):
    """Pearson's chi-square over names, its p-value counted over random tables of the same margins."""

    @abstractmethod
    def name_of(self, event: Event) -> str | None:
        """The name that counts for an event."""

    def measure(self, events: Sequence[Event]) -> Rows:
        return np.array([name for event in events if (name := self.name_of(event)) is not None], dtype=np.str_)

    def p_value(self, past: Rows, window: Rows, random: np.random.Generator) -> float:
        names, numbers = np.unique(np.concatenate([past, window]), return_inverse=True)
        if len(names) == 1:
            return 1.0
        totals = np.bincount(numbers)
        size = len(window)
        expected = totals * (size / len(numbers))
        seen = np.bincount(numbers[len(past) :], minlength=len(names))
        drawn = random.multivariate_hypergeometric(totals, size, DEALS, method="marginals")
        return counted(
            ((drawn - expected) ** 2 / expected).sum(axis=1), float(((seen - expected) ** 2 / expected).sum())
        )

    def effect(self, reference: Sequence[Event], window: Sequence[Event]) -> Effect | None:
        before, now = self.measure(reference), self.measure(window)
        if not len(before) or not len(now):
            return None
        old, new = (_shares(each) for each in (before, now))
        moved = {name: new.get(name, 0.0) - old.get(name, 0.0) for name in sorted(old | new)}
        most = max(moved, key=lambda name: abs(moved[name]))
        distance = sum(map(abs, moved.values())) / 2
        return Effect(new.get(most, 0.0), old.get(most, 0.0), {"name": most, "moved": round(distance, 4)})

    @classmethod
    def sentence(cls, effect: Mapping[str, Any]) -> str:
        return t(
            "{title}: {name} is {now:.0%} of them, {before:.0%} in the reference; {moved:.0%} are others than before",
            title=cls.title(), name=effect["name"], now=effect["value"], before=effect["reference"],
            moved=effect["moved"],
        )  # fmt: skip


def _shares(names: Rows) -> dict[str, float]:
    return {str(name): count / len(names) for name, count in Counter(names.tolist()).items()}
