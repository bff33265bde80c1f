"""How sure the model is of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.watch.base import Event
from tuneloop.watch.drift.base import Rows
from tuneloop.watch.drift.numbers import Numbers


class Confidence(Numbers):
    """The largest probability of each answer."""

    name = "confidence"

    def number_of(self, event: Event) -> float | None:
        return event.confidence

    def middle(self, numbers: Rows) -> float:
        return float(np.mean(numbers))

    @classmethod
    def title(cls) -> str:
        return t("confidence")

    @classmethod
    def sentence(cls, effect: Mapping[str, Any]) -> str:
        return t(
            "the mean confidence is {now:.3f}, {before:.3f} in the reference",
            now=effect["value"], before=effect["reference"],
        )  # fmt: skip
