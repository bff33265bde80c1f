"""English words that sound alike and are taken for each other."""

from __future__ import annotations

from typing import ClassVar

from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import Script, UnitPerturbation, like, word_data


class Confusions(UnitPerturbation):
    """their for there, your for you're; the groups are in confusions.json."""

    name: ClassVar[str] = "confusions"
    script: ClassVar[Script] = "en"

    def variants(self, unit: str) -> list[str]:
        """The other words of its group."""
        plain = unit.lower().replace("’", "'")
        group: list[str] = next((group for group in word_data("confusions") if plain in group), [])
        return [like(other, unit) for other in group if other != plain]

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("words that sound alike")
