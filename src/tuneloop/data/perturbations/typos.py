"""Letters and characters out of place, as fast fingers leave them."""

from __future__ import annotations

import re
from typing import ClassVar

from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import Script, UnitPerturbation
from tuneloop.data.units import HAN

SHORTEST = 4
"""Letters of a word from which on a reader still knows it: the first letter is never touched."""


class Typos(UnitPerturbation):
    """Two letters swapped, one left out or one typed twice."""

    name: ClassVar[str] = "typos"
    script: ClassVar[Script] = "en"

    def variants(self, unit: str) -> list[str]:
        """Every such error behind the first letter."""
        if len(unit) < SHORTEST:
            return []
        inside = range(1, len(unit))
        found = [unit[:at] + unit[at + 1] + unit[at] + unit[at + 2 :] for at in inside[:-1]]
        found += [unit[:at] + unit[at + 1 :] for at in inside]
        found += [unit[:at] + unit[at] + unit[at:] for at in inside]
        return [word for word in dict.fromkeys(found) if word != unit]

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("typos: letters swapped, left out or doubled")


class SwappedCharacters(UnitPerturbation):
    """Two neighbouring Chinese characters swapped."""

    name: ClassVar[str] = "swapped_characters"
    script: ClassVar[Script] = "zh"
    unit: ClassVar[re.Pattern[str]] = re.compile(f"[{HAN}]{{2}}")

    def variants(self, unit: str) -> list[str]:
        """The two the other way round."""
        return [unit[::-1]] if unit[0] != unit[1] else []

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("neighbouring characters swapped")
