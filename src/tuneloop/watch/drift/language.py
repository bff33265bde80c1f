"""Which languages texts are written in."""

from __future__ import annotations

from tuneloop.core.i18n import t
from tuneloop.watch.base import Event
from tuneloop.watch.drift.categories import Categories


class Language(Categories):
    """The share of each language among the texts."""

    name = "language"

    def name_of(self, event: Event) -> str | None:
        return event.language

    @classmethod
    def title(cls) -> str:
        return t("languages")
