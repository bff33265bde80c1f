"""How long texts are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.watch.base import Event
from tuneloop.watch.drift.base import Rows
from tuneloop.watch.drift.numbers import Numbers, change


class Length(Numbers):
    """The characters of each text."""

    name = "length"

    def number_of(self, event: Event) -> float | None:
        return float(event.chars)

    def middle(self, numbers: Rows) -> float:
        return float(np.mean(numbers))

    @classmethod
    def title(cls) -> str:
        return t("length of texts")

    @classmethod
    def sentence(cls, effect: Mapping[str, Any]) -> str:
        ratio = change(effect["value"], effect["reference"])
        template = (
            t("texts are {share:.0%} longer than in the reference: {now:.0f} characters on average, not {before:.0f}")
            if ratio >= 0
            else t(
                "texts are {share:.0%} shorter than in the reference: {now:.0f} characters on average, not {before:.0f}"
            )
        )
        return template.format(share=abs(ratio), now=effect["value"], before=effect["reference"])
