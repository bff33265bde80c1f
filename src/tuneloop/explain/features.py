"""Features that a text has or has not, and what the text is with or without them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.data.units import is_han
from tuneloop.explain.units import units_of

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples
    from tuneloop.knowledge.lexicon import Lexicon

SPACES = re.compile(r"[ \t]{2,}")
BEFORE_SIGN = re.compile(r"[ \t]+([,.;:!?)])")


class Feature(ABC):
    """Something that stands in a text or not."""

    insertable: ClassVar[bool] = True
    """Whether a text can be given it; else it is only taken away."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called in tables."""

    @abstractmethod
    def places(self, text: str) -> list[tuple[int, int]]:
        """The characters of each occurrence, from and to, in order."""

    @abstractmethod
    def forms(self, texts: Sequence[str]) -> list[str]:
        """What is inserted for it; one is drawn for each text."""

    def without(self, text: str) -> str:
        """The text with every occurrence taken away, and the space that it leaves."""
        return replaced(text, self.places(text), "")

    def having(self, text: str, form: str, random: np.random.Generator) -> str:
        """The text with `form` in a random place between two words, or at an end."""
        units = units_of(text)
        place = int(random.integers(len(units) + 1))
        end = units[place - 1].end if place else 0
        gap = "" if is_han(form[0]) else " "
        behind = "" if end and text[end:].startswith(" ") else gap
        return f"{text[:end]}{gap if end else ''}{form}{behind}{text[end:]}".strip()


@dataclass(frozen=True)
class Phrase(Feature):
    """A word or phrase; capitals do not count, and English is found between word borders only."""

    text: str

    @property
    def name(self) -> str:
        return self.text

    def places(self, text: str) -> list[tuple[int, int]]:
        left = "" if is_han(self.text[0]) else r"(?<!\w)"
        right = "" if is_han(self.text[-1]) else r"(?!\w)"
        return [each.span() for each in re.finditer(left + re.escape(self.text) + right, text, re.IGNORECASE)]

    def forms(self, texts: Sequence[str]) -> list[str]:
        return [self.text]


@dataclass(frozen=True)
class Pattern(Feature):
    """What a regular expression finds; what is inserted are stretches that it has found."""

    pattern: re.Pattern[str]

    @property
    def name(self) -> str:
        return f"/{self.pattern.pattern}/"

    def places(self, text: str) -> list[tuple[int, int]]:
        return [each.span() for each in self.pattern.finditer(text) if each.end() > each.start()]

    def forms(self, texts: Sequence[str]) -> list[str]:
        return sorted({text[start:end] for text in texts for start, end in self.places(text)})


@dataclass(frozen=True)
class Category(Feature):
    """The terms of one category of a lexicon; what is inserted are terms that the texts have."""

    lexicon: Lexicon
    category: str

    @property
    def name(self) -> str:
        return f"{self.lexicon.name}: {self.category}"

    def places(self, text: str) -> list[tuple[int, int]]:
        found = {(each.start, each.end) for each in self.lexicon.matches(text) if each.category == self.category}
        return sorted(found)

    def forms(self, texts: Sequence[str]) -> list[str]:
        return sorted({text[start:end] for text in texts for start, end in self.places(text)})


@dataclass(frozen=True)
class Exchange(Feature):
    """Phrases that others stand in place of, all at once: with he -> she and she -> he they change places."""

    pairs: tuple[tuple[Phrase, str], ...]
    insertable: ClassVar[bool] = False

    @property
    def name(self) -> str:
        return ", ".join(f"{before.text} -> {after}" for before, after in self.pairs)

    def places(self, text: str) -> list[tuple[int, int]]:
        return [(start, end) for start, end, _ in self._exchanges(text)]

    def forms(self, texts: Sequence[str]) -> list[str]:
        return []

    def without(self, text: str) -> str:
        """The text with the second phrase of each pair for the first, with its capital."""
        for start, end, after in reversed(self._exchanges(text)):
            text = replaced(text, [(start, end)], after)
        return text

    def _exchanges(self, text: str) -> list[tuple[int, int, str]]:
        """Stretches that are exchanged, in order, none over another; of two that begin together the longer one."""
        found = [(start, -end, after) for before, after in self.pairs for start, end in before.places(text)]
        kept: list[tuple[int, int, str]] = []
        for start, end, after in sorted(found):
            if not kept or start >= kept[-1][1]:
                kept.append((start, -end, after))
        return kept


def feature_of(
    text: str,
    *,
    kind: str = "phrase",
    after: str | None = None,
    also: Mapping[str, str] | None = None,
    lexicons: Sequence[Lexicon] = (),
) -> Feature:
    """The feature that a person has named.

    Args:
        text: a word or phrase, a regular expression, or the category of a lexicon.
        kind: "phrase", "regex" or "category".
        after: the phrase that stands in place of `text`.
        also: more phrases, with those that stand in their place at the same time.
        lexicons: of the model.

    Raises:
        ConfigError: if the text is no such thing.
    """
    if not text.strip():
        raise ConfigError(t("The feature is empty."), t("Name a word, a phrase, a regular expression or a category."))
    if also and (after is None or not all(each.strip() for pair in also.items() for each in pair)):
        raise ConfigError(t("A pair of phrases is incomplete."), t("Give both phrases of each pair."))
    if after is not None:
        if kind != "phrase":
            raise ConfigError(t("Only a phrase can be exchanged for another."), t("Leave the kind of feature out."))
        pairs = {text: after} | dict(also or {})
        return Exchange(tuple((Phrase(one.strip()), other.strip()) for one, other in pairs.items()))
    if kind == "phrase":
        return Phrase(text.strip())
    if kind == "regex":
        try:
            return Pattern(re.compile(text, re.IGNORECASE))
        except re.error as error:
            raise ConfigError(
                t("{text!r} is no regular expression: {error}", text=text, error=error),
                t("Mend it: see the syntax of Python's module re."),
            ) from None
    found = [each for each in lexicons if text in each.categories]
    if not found:
        known = sorted({name for each in lexicons for name in each.categories})
        raise ConfigError(
            t("No lexicon of the model has the category {name!r}.", name=text),
            t("Choose one of: {known}.", known=", ".join(known[:50])) if known
            else t("Attach a lexicon: tuneloop knowledge attach"),
        )  # fmt: skip
    return Category(found[0], text)


def rows_with_and_without(rows: Examples, feature: Feature, *, most: int, seed: int) -> Examples:
    """So many rows at most, in order: up to half of them have the feature, if there are so many, the others not."""
    if len(rows) <= most:
        return rows
    has = np.array([any(map(feature.places, [one] if isinstance(one, str) else one)) for one in rows.inputs])
    random = np.random.default_rng([seed, 2])
    with_it, without = random.permutation(np.flatnonzero(has)), random.permutation(np.flatnonzero(~has))
    count = min(len(with_it), max(most // 2, most - len(without)))
    return rows.select(sorted([*with_it[:count].tolist(), *without[: most - count].tolist()]))


def replaced(text: str, places: Sequence[tuple[int, int]], after: str) -> str:
    """The text with other words in these places; it is otherwise the same, but for spaces that nothing parts."""
    pieces, end = [], 0
    for start, stop in places:
        if start < end:  # terms may lie over one another
            continue
        capital = after and text[start].isupper() and text[start:stop] != text[start:stop].upper()
        pieces += [text[end:start], after[0].upper() + after[1:] if capital else after]
        end = stop
    if not places:
        return text
    whole = "".join([*pieces, text[end:]])
    return whole if after else BEFORE_SIGN.sub(r"\1", SPACES.sub(" ", whole)).strip()
