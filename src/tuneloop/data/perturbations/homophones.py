"""Chinese characters with the sound of another, as pinyin input leaves them; sounds by pypinyin."""

from __future__ import annotations

import re
from functools import cache
from typing import ClassVar

from tuneloop.core.errors import MissingExtraError
from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import CHARACTER, Script, UnitPerturbation

INITIALS = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("n", "l"), ("h", "f"))
FINALS = (("ang", "an"), ("eng", "en"), ("ing", "in"))
"""Sounds that many speakers do not tell apart, as input methods offer them."""


class Homophones(UnitPerturbation):
    """A common character with the same pinyin, whatever its tone."""

    name: ClassVar[str] = "homophones"
    script: ClassVar[Script] = "zh"
    needs: ClassVar[str] = "pypinyin"
    unit: ClassVar[re.Pattern[str]] = CHARACTER

    def __init__(self) -> None:
        sounds()

    def variants(self, unit: str) -> list[str]:
        """Every common character with its sound."""
        return [other for other in sounds().get(sound_of(unit), "") if other != unit]

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("homophones: characters with the same pinyin")


class NearSounds(Homophones):
    """A common character whose pinyin is near: zh for z, n for l, ang for an."""

    name: ClassVar[str] = "near_sounds"

    def variants(self, unit: str) -> list[str]:
        """Every common character with a near sound."""
        return [other for near in near_sounds(sound_of(unit)) for other in sounds().get(near, "")]

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("characters with a near pinyin")


@cache
def sounds() -> dict[str, str]:
    """The 3,755 common characters, the first level of GB 2312, by their sound without tone."""
    codes = [bytes((high, low)) for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF)]
    found: dict[str, str] = {}
    for character in (code.decode("gb2312", "ignore") for code in codes):
        if character:
            found[sound_of(character)] = found.get(sound_of(character), "") + character
    return found


@cache
def sound_of(character: str) -> str:
    """The usual sound of a character, without tone."""
    try:
        from pypinyin import lazy_pinyin
    except ImportError:
        raise MissingExtraError("pypinyin", "audit") from None
    return str(lazy_pinyin(character)[0])


def near_sounds(sound: str) -> list[str]:
    """Sounds that differ from this one in a beginning or an end that is easily confused."""
    found = []
    for one, other in [*INITIALS, *((other, one) for one, other in INITIALS)]:
        longer = {"z": "zh", "c": "ch", "s": "sh"}.get(one, "")
        if sound.startswith(one) and not (longer and sound.startswith(longer)):
            found.append(other + sound[len(one) :])
    for one, other in [*FINALS, *((other, one) for one, other in FINALS)]:
        if sound.endswith(one):
            found.append(sound[: -len(one)] + other)
    return found
