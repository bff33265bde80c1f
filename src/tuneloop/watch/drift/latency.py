"""How long answers take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneloop.core.i18n import t
from tuneloop.watch.base import Event
from tuneloop.watch.drift.numbers import Numbers, change


class Latency(Numbers):
    """The milliseconds of each answer; the reference are the first events, as rows of a file were never asked."""

    name = "latency"

    def number_of(self, event: Event) -> float | None:
        return event.took_ms or None

    @classmethod
    def title(cls) -> str:
        return t("time of answers")

    @classmethod
    def sentence(cls, effect: Mapping[str, Any]) -> str:
        ratio = change(effect["value"], effect["reference"])
        template = (
            t("answers take {share:.0%} longer than in the reference: {now:.1f} ms, {before:.1f} ms before")
            if ratio >= 0
            else t("answers are {share:.0%} quicker than in the reference: {now:.1f} ms, {before:.1f} ms before")
        )
        return template.format(share=abs(ratio), now=effect["value"], before=effect["reference"])
