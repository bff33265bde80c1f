"""Many phrases found in a text at once: the terms of a lexicon, the names of a graph, the words of rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tuneloop.core.errors import MissingExtraError

FIRST_UNSPACED = 0x2E80
"""From this character on, scripts are written without spaces (Chinese, Japanese), so that a word has no borders."""


class Hit(NamedTuple):
    """A phrase in a text: its characters from `start` to before `end`, and its number in the list of phrases."""

    start: int
    end: int
    number: int


class Phrases:
    """An automaton over many phrases; the time for a text does not depend on how many there are.

    A phrase that begins or ends with a letter or digit of a spaced script is found between word borders only, one in
    Chinese anywhere. Aho and Corasick, "Efficient string matching" (1975).

    Args:
        phrases: what to look for, none empty; equal ones share their hits with the first.
        case_sensitive: whether capitals count.

    Raises:
        MissingExtraError: if the automaton's package is not installed.
    """

    def __init__(self, phrases: Sequence[str], *, case_sensitive: bool = False) -> None:
        try:
            from ahocorasick_rs import AhoCorasick
        except ImportError:
            raise MissingExtraError("ahocorasick_rs", "knowledge") from None
        self._case_sensitive = case_sensitive
        self._automaton = AhoCorasick(list(map(self._form, phrases))) if phrases else None

    def all(self, text: str) -> list[Hit]:
        """Every place of every phrase, overlapping ones too, in the order of their ends."""
        if self._automaton is None:
            return []
        form = self._form(text)
        found = self._automaton.find_matches_as_indexes(form, overlapping=True)
        return [Hit(start, end, number) for number, start, end in found if _bordered(form, start, end)]

    def longest(self, text: str) -> list[Hit]:
        """The places from left to right without overlaps; of those that begin together, the longest."""
        return longest(self.all(text))

    def _form(self, text: str) -> str:
        text = sound(text)
        return text if self._case_sensitive else lowered(text)


def longest(hits: Iterable[Hit]) -> list[Hit]:
    """Hits from left to right without overlaps; of those that begin together, the longest."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        if not kept or hit.start >= kept[-1].end:
            kept.append(hit)
    return kept


def lowered(text: str) -> str:
    """The text in small letters, each character in its place."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(each.lower() if len(each.lower()) == 1 else each for each in text)


def sound(text: str) -> str:
    """The text with lone surrogates, which are no Unicode text, as '?', each character in its place."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def in_word(character: str) -> bool:
    """Whether a character is part of a word of a script that puts spaces between words."""
    return ord(character) < FIRST_UNSPACED and (character.isalnum() or character == "_")


def _bordered(text: str, start: int, end: int) -> bool:
    """Whether no word goes on over the border of a stretch."""
    before = start > 0 and in_word(text[start]) and in_word(text[start - 1])
    after = end < len(text) and in_word(text[end - 1]) and in_word(text[end])
    return not before and not after


def says(text: str, phrase: str) -> bool:
    """Whether `Phrases([phrase])` would find it in `text`; both in small letters."""
    start = text.find(phrase)
    while start >= 0:
        if _bordered(text, start, start + len(phrase)):
            return True
        start = text.find(phrase, start + 1)
    return False
