"""A finger on the key beside the right one."""

from __future__ import annotations

from functools import cache
from typing import ClassVar

from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import Script, UnitPerturbation, like
from tuneloop.data.perturbations.typos import SHORTEST

ROWS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))
"""Rows of the keyboard, and how far each begins to the right of the first, in keys."""


class Keyboard(UnitPerturbation):
    """A letter replaced by a neighbour on a QWERTY keyboard."""

    name: ClassVar[str] = "keyboard"
    script: ClassVar[Script] = "en"

    def variants(self, unit: str) -> list[str]:
        """Every letter behind the first by every neighbour."""
        if len(unit) < SHORTEST:
            return []
        return [
            unit[:at] + like(near, unit[at]) + unit[at + 1 :]
            for at in range(1, len(unit))
            for near in neighbours().get(unit[at].lower(), "")
        ]

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("a neighbouring key instead of the right one")


@cache
def neighbours() -> dict[str, str]:
    """The letters around each letter."""
    places = {key: (left + at, row) for row, (keys, left) in enumerate(ROWS) for at, key in enumerate(keys)}
    return {
        key: "".join(other for other, (a, b) in places.items() if other != key and abs(a - x) <= 1 and abs(b - y) <= 1)
        for key, (x, y) in places.items()
    }
