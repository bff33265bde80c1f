"""Which classes are answered, and how often."""

from __future__ import annotations

from tuneloop.core.i18n import t
from tuneloop.watch.base import Event
from tuneloop.watch.drift.categories import Categories


class Labels(Categories):
    """The share of each class among the answers."""

    name = "labels"

    def name_of(self, event: Event) -> str | None:
        return event.label

    @classmethod
    def title(cls) -> str:
        return t("classes answered")
