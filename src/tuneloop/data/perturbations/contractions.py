"""I am and I'm, do not and don't."""

from __future__ import annotations

import re
from functools import cache
from typing import ClassVar

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import Perturbation, Script, like, word_data


class Contractions(Perturbation):
    """Every contraction written out; in a text without any, every pair of words contracted."""

    name: ClassVar[str] = "contractions"
    script: ClassVar[Script] = "en"

    def perturb(self, text: str, random: np.random.Generator) -> str:
        """The text in the other way of writing."""
        plain = text.replace("’", "'")
        longer = _pattern(True).sub(lambda place: _other(place, longer=True), plain)
        if longer != plain:
            return longer
        shorter = _pattern(False).sub(lambda place: _other(place, longer=False), plain)
        return shorter if shorter != plain else text

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("contractions written out or made")


@cache
def _pattern(longer: bool) -> re.Pattern[str]:
    pairs: dict[str, str] = word_data("contractions")
    known = "|".join(map(re.escape, pairs if longer else pairs.values()))
    # "that is what it is" has no contraction at its end
    return re.compile(rf"(?<![\w'])({known})(?![\w'])" + ("" if longer else r"(?=\s+\w)"), re.IGNORECASE)


def _other(place: re.Match[str], *, longer: bool) -> str:
    pairs: dict[str, str] = word_data("contractions")
    table = pairs if longer else {long: short for short, long in pairs.items()}
    found = table[place.group().lower()]
    return found.upper() if place.group().isupper() else like(found, place.group())
