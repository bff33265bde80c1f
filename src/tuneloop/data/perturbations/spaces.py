"""Spaces too many and too few."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import UNIT_SHARE, Perturbation, Script, UnitPerturbation, script_of
from tuneloop.data.units import HAN

BETWEEN_WORDS = re.compile(r"(?<=\S) (?=\S)")
BETWEEN_CHARACTERS = re.compile(f"(?<=[{HAN}])(?=[{HAN}])")


class ExtraSpaces(Perturbation):
    """A second space between words, a space between Chinese characters."""

    name: ClassVar[str] = "extra_spaces"
    script: ClassVar[Script] = "any"

    def perturb(self, text: str, random: np.random.Generator) -> str:
        """The text with a space more at `UNIT_SHARE` of the places, one at least."""
        pattern = BETWEEN_CHARACTERS if script_of(text) == "zh" else BETWEEN_WORDS
        places = [place.start() for place in pattern.finditer(text)]
        if not places:
            return text
        count = max(1, round(UNIT_SHARE * len(places)))
        for at in sorted(random.choice(places, count, replace=False).tolist(), reverse=True):
            text = text[:at] + " " + text[at:]
        return text

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("spaces too many")


class JoinedWords(UnitPerturbation):
    """A space left out between two English words."""

    name: ClassVar[str] = "joined_words"
    script: ClassVar[Script] = "en"
    unit: ClassVar[re.Pattern[str]] = re.compile(r"(?<![@#/])\b[A-Za-z]+ [A-Za-z]+\b")

    def variants(self, unit: str) -> list[str]:
        """The two words as one."""
        return [unit.replace(" ", "")]

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("a space left out between two words")
