"""Small changes of a text: one word deleted, replaced or denied."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tuneloop.data.units import is_han
from tuneloop.explain.opposites import Opposites
from tuneloop.explain.units import Part, Unit
from tuneloop.explain.wording import BARE, END, START, Wording, bare

if TYPE_CHECKING:
    from tuneloop.data.examples import Input

Kind = Literal["delete", "antonym", "synonym", "neighbour", "negate", "affirm"]
"""What was done: a word deleted; replaced by its opposite, by one of its meaning, or by one that training texts have
in such a place; denied; a denial taken off."""

AUXILIARIES = re.compile(
    "is|are|was|were|am|be|been|do|does|did|has|have|had|will|would|can|could|should|may|might|must"
)
CONTRACTED = re.compile(r"^(\w+?)n['’]t$", re.IGNORECASE)
WHOLE = {"ca": "can", "wo": "will", "sha": "shall"}
CHINESE_DENIALS = ("不", "没")
LEAST_SEEN = 5
"""How often training texts must have a word that is tried."""
LEAST_DENIED = 2
"""How often training texts must deny a word that is tried with a denial."""


@dataclass(frozen=True)
class Edit:
    """One word changed.

    Args:
        unit: the number of the unit among those of the input.
        start: its first character, in its part.
        end: the character behind its last one.
        part: of the text, or of its pair.
        before: what stands there.
        after: what stands there then; empty where it is deleted.
        kind: what was done.
    """

    unit: int
    start: int
    end: int
    part: Part
    before: str
    after: str
    kind: Kind

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "start": self.start, "end": self.end, "part": self.part,
            "before": self.before, "after": self.after, "kind": self.kind,
        }  # fmt: skip


def edits_of(
    units: Sequence[Unit], wording: Wording, leaning: Mapping[str, float], opposites: Opposites | None, *, each: int
) -> list[Edit]:
    """Every change of one unit that is tried.

    Args:
        units: of the input.
        wording: of the training texts.
        leaning: how much more often a word stands in texts of the wanted class than in others.
        opposites: antonyms and synonyms of English; None where there are none.
        each: words of the training texts for one unit at most, those that lean most towards the wanted class.
    """
    found: list[Edit] = []
    for number, unit in enumerate(units):
        before, after = _beside(units, number)
        word = bare(unit.text)
        changes: list[tuple[str, Kind]] = [("", "delete"), *_affirmed(unit.text), *_denied(word, wording)]
        if opposites is not None and word.isascii():
            changes += [(other, "antonym") for other in opposites.antonyms(word)[:each]]
            changes += [(other, "synonym") for other in opposites.synonyms(word)[:each] if other in wording.words]
        near = [
            other for other in wording.fitting(before, after)
            if other != word and leaning.get(other, 0.0) > 0 and wording.words[other] >= LEAST_SEEN and other.isalpha()
            and (opposites is None or opposites.alike(word, other))
        ]  # fmt: skip
        leaders = heapq.nlargest(each, near, key=lambda other: (leaning[other], other))
        changes += [(other, "neighbour") for other in leaders]
        known = set()
        for text, kind in changes:
            shown = _dressed(unit.text, text) if text else ""
            if shown != unit.text and shown not in known:
                known.add(shown)
                found.append(Edit(number, unit.start, unit.end, unit.part, unit.text, shown, kind))
    return found


def edited(item: Input, units: Sequence[Unit], edits: Sequence[Edit]) -> Input:
    """The input with these changes, at most one for each unit."""
    after = {edit.unit: edit.after for edit in edits}
    if isinstance(item, str):
        return _text(item, units, after, "text")
    return _text(item[0], units, after, "text"), _text(item[1], units, after, "pair")


def _text(text: str, units: Sequence[Unit], after: Mapping[int, str], part: Part) -> str:
    """One text; with a deleted word goes what stood before it."""
    pieces: list[str] = []
    gap, end = "", 0
    for number, unit in enumerate(units):
        if unit.part != part:
            continue
        gap, end = text[end : unit.start] or gap, unit.end
        shown = after.get(number, unit.text)
        if shown:
            pieces += [gap if pieces or unit.start == 0 else "", shown]
            gap = ""
    return "".join(pieces) + text[end:]


def _beside(units: Sequence[Unit], number: int) -> tuple[str, str]:
    """The words before and behind a unit in its own part."""
    part = units[number].part
    last = number + 1 < len(units) and units[number + 1].part == part
    return (
        bare(units[number - 1].text) if number and units[number - 1].part == part else START,
        bare(units[number + 1].text) if last else END,
    )


def _affirmed(text: str) -> Iterator[tuple[str, Kind]]:
    """A word without the denial that it holds; one that is a denial itself is tried by deleting it."""
    word = BARE.sub("", text)
    contracted = CONTRACTED.match(word)
    if contracted:
        yield WHOLE.get(contracted[1].lower(), contracted[1]), "affirm"
    if len(word) > 1 and word.startswith(CHINESE_DENIALS):
        yield word[1:], "affirm"


def _denied(word: str, wording: Wording) -> Iterator[tuple[str, Kind]]:
    """A word denied, where English grammar or the training texts have it so."""
    if word and is_han(word[0]):
        for denial in CHINESE_DENIALS:
            if denial + word in wording.words or (denial, word) in wording.pairs:
                yield denial + word, "negate"
    elif AUXILIARIES.fullmatch(word):
        yield f"{word} not", "negate"
    elif len(word) > 1 and wording.pairs["not", word] >= LEAST_DENIED:
        yield f"not {word}", "negate"


def _dressed(text: str, word: str) -> str:
    """A word with the signs and the capitals of the one that it replaces."""
    core = BARE.sub("", text)
    if not core:
        return word
    start = text.index(core)
    if core.isupper() and len(core) > 1:
        word = word.upper()
    elif core[0].isupper():
        word = word[0].upper() + word[1:]
    return text[:start] + word + text[start + len(core) :]
