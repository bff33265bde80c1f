"""The contract of a perturbation: which texts it is for, what it changes, and what that does to the right answer."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any, ClassVar, Literal

import numpy as np

from tuneloop.core.errors import ConfigError, MissingExtraError
from tuneloop.core.i18n import t
from tuneloop.data.perturbations import PERTURBATIONS
from tuneloop.data.units import HAN

Script = Literal["en", "zh", "any"]
Effect = Literal["keeps", "turns"]

WORD = re.compile(r"(?<![\w@#/:.'’])[A-Za-z]+(?:['’][A-Za-z]+)*(?![\w@/]|://)")
"""A word in Latin letters that is no part of an address, a name or a tag."""
CHARACTER = re.compile(f"[{HAN}]")
UNIT_SHARE = 0.15
"""Words or characters that are changed at once: one in seven, but one at least."""


class Perturbation(ABC):
    """One kind of change. What it needs beside the text is read when it is made.

    Raises:
        MissingExtraError: if a package is missing.
        ConfigError: if data is missing.
    """

    name: ClassVar[str]
    script: ClassVar[Script]
    """Texts it is for: English (any in Latin letters), Chinese, or all."""
    effect: ClassVar[Effect] = "keeps"
    """Whether the right answer stays, or turns into another where answers have a pole."""
    needs: ClassVar[str] = ""
    """What it cannot do without: a package, or data."""

    @abstractmethod
    def perturb(self, text: str, random: np.random.Generator) -> str:
        """The text with such a change; as it is where there is nothing to change."""

    @classmethod
    @abstractmethod
    def title(cls) -> str:
        """What it is called, in the language in force."""

    def suits(self, text: str) -> bool:
        """Whether a text is of its script."""
        return self.script in ("any", script_of(text))


class UnitPerturbation(Perturbation):
    """A change of single words or characters: any of them may be changed without the others."""

    unit: ClassVar[re.Pattern[str]] = WORD

    @abstractmethod
    def variants(self, unit: str) -> list[str]:
        """All that a word or character may become, without itself, in a fixed order."""

    def perturb(self, text: str, random: np.random.Generator, *, share: float = UNIT_SHARE) -> str:
        """The text with a share of its units changed, one at least."""
        places = list(self.unit.finditer(text))
        wanted = max(1, round(share * len(places)))
        changed: dict[int, str] = {}
        for number in random.permutation(len(places)):
            options = self.variants(places[number].group())
            if options:
                changed[int(number)] = options[random.integers(len(options))]
            if len(changed) == wanted:
                break
        return replaced(text, [(places[number], new) for number, new in sorted(changed.items())])


def replaced(text: str, changes: Sequence[tuple[re.Match[str], str]]) -> str:
    """The text with other words at these places, which are in order."""
    parts, end = [], 0
    for place, new in changes:
        parts += [text[end : place.start()], new]
        end = place.end()
    return "".join([*parts, text[end:]])


def script_of(text: str) -> Literal["en", "zh", ""]:
    """zh where a text has more Chinese characters than words in Latin letters, en where it has such words."""
    chinese, words = len(CHARACTER.findall(text)), len(re.findall(r"[A-Za-z]+", text))
    if chinese > words:
        return "zh"
    return "en" if words else ""


def create_perturbations(names: Sequence[str]) -> list[Perturbation]:
    """The perturbations of these names.

    Raises:
        ConfigError: if there is none of a name, or data is missing.
        MissingExtraError: if a package is missing.
    """
    return [PERTURBATIONS.get(name)() for name in names]


def keeping_perturbations(names: Sequence[str], *, setting: str) -> list[Perturbation]:
    """The perturbations of these names, after which a text has the same right answer.

    Args:
        setting: which names them.

    Raises:
        ConfigError: if one changes the right answer; and as `create_perturbations`.
        MissingExtraError: if a package is missing.
    """
    made = create_perturbations(names)
    for each in made:
        if each.effect != "keeps":
            raise ConfigError(
                t("{setting}: {name} changes the right answer.", setting=setting, name=each.name),
                t("Leave it out."),
            )
    return made


def available(names: Sequence[str]) -> tuple[list[Perturbation], dict[str, str]]:
    """Those of the named perturbations that can be made here, and what the others lack.

    Raises:
        ConfigError: if there is none of a name.
    """
    made, lacking = [], {}
    for name in names:
        kind = PERTURBATIONS.get(name)
        try:
            made.append(kind())
        except (MissingExtraError, ConfigError):
            if not kind.needs:
                raise
            lacking[name] = kind.needs
    return made, lacking


def like(word: str, model: str) -> str:
    """A word with the capital letters of another."""
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


@cache
def word_data(name: str) -> Any:
    """A JSON file of words beside this one."""
    file = resources.files("tuneloop.data.perturbations").joinpath(f"{name}.json")
    return json.loads(file.read_text(encoding="utf-8"))
