"""The parts of a text that get an attribution: words, phrases or characters, each by its place in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tuneloop.core.errors import MissingExtraError
from tuneloop.data.units import HAN
from tuneloop.knowledge.words import chinese_cutter
from tuneloop.media.layout import Layout, laid_out

if TYPE_CHECKING:
    from tuneloop.data.examples import Input

Grain = Literal["word", "phrase", "character", "modality"]
Part = Literal["text", "pair"]

RUN = re.compile(rf"[{HAN}]+|(?<=[{HAN}])[^\w\s]+|[^\s{HAN}]+")
"""Chinese, signs behind it, or anything else between spaces: don't, 3.5 and well-known are one word each."""
SIGNS = re.compile(r"[^\w\s]+")
PHRASE_ENDS = tuple(",.;:!?)，。；：！？、）…")
PHRASE_WORDS = 6
"""Words of a phrase at most, where no sign ends it before."""


@dataclass(frozen=True)
class Unit:
    """A stretch of a text.

    Args:
        start: its first character.
        end: the character behind its last one.
        text: what stands there.
        part: of the text, or of its pair.
    """

    start: int
    end: int
    text: str
    part: Part = "text"


def units_of(item: Input, grain: Grain = "word", *, most: int = 1000) -> tuple[Unit, ...]:
    """The units of an input, those of the pair last; they hold every character but spaces.

    Args:
        grain: "word", "phrase" (words up to a sign or `PHRASE_WORDS` of them), "character", or "modality", all of it.
            Of an item of several modalities only the text is cut: each file and each value is a unit, and by
            "modality" all values are one.
        most: units at most; neighbours in a longer input are taken together.
    """
    layouts = [laid_out(text) for text in ((item,) if isinstance(item, str) else item)]
    texts = [layout.shown for layout in layouts]
    found = [_stretches(layout.text, grain) + _beside(layout, grain) for layout in layouts]
    every = max(1, -(-sum(map(len, found)) // most))
    parts: tuple[Part, ...] = ("text", "pair")
    return tuple(
        Unit(start, end, text[start:end], part)
        for text, stretches, part in zip(texts, found, parts, strict=False)
        for start, end in _joined(stretches, every)
    )


def coarser(item: Input, units: Sequence[Unit], most: int) -> tuple[tuple[Unit, ...], int]:
    """Neighbours taken together, so many that at most `most` units are left, and how many make one now.

    Args:
        item: whose units they are; text and pair stay apart, so that `most` is 2 at least.
    """
    given = {"text": item} if isinstance(item, str) else {"text": item[0], "pair": item[1]}
    texts = {part: laid_out(text).shown for part, text in given.items()}
    for every in range(1, len(units) + 1):
        found = tuple(
            Unit(start, end, text[start:end], part)  # type: ignore[arg-type]
            for part, text in texts.items()
            for start, end in _joined([(each.start, each.end) for each in units if each.part == part], every)
        )
        if len(found) <= most:
            break
    return found, every


def _stretches(text: str, grain: Grain) -> list[tuple[int, int]]:
    if grain == "modality":
        return [(0, len(text))] if text else []
    if grain == "character":
        return [match.span() for match in re.finditer(r"\S", text)]
    words = list(_words(text))
    return words if grain == "word" else list(_phrases(text, words))


def _beside(layout: Layout, grain: Grain) -> list[tuple[int, int]]:
    return layout.modalities if grain == "modality" else layout.places


def _words(text: str) -> Iterator[tuple[int, int]]:
    """Words with the signs that cling to them: an absent word leaves no sign behind."""
    held: tuple[int, int] | None = None  # what waits for signs behind it
    for start, end in _bare_words(text):
        if SIGNS.fullmatch(text, start, end) and held is not None and held[1] == start:
            held = (held[0], end)
            continue
        if held is not None:
            yield held
        held = (start, end)
    if held is not None:
        yield held


def _bare_words(text: str) -> Iterator[tuple[int, int]]:
    for run in RUN.finditer(text):
        if not re.match(f"[{HAN}]", run[0]):
            yield run.span()
            continue
        place = run.start()
        for word in _cut(run[0]):
            yield place, place + len(word)
            place += len(word)


def _cut(run: str) -> Sequence[str]:
    """Chinese as words if jieba is installed, else as characters."""
    try:
        return list(chinese_cutter().cut(run))
    except MissingExtraError:
        return list(run)


def _phrases(text: str, words: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    began, count = None, 0
    for start, end in words:
        began = start if began is None else began
        count += 1
        if count == PHRASE_WORDS or text[start:end].endswith(PHRASE_ENDS):
            yield began, end
            began, count = None, 0
    if began is not None:
        yield began, words[-1][1]


def _joined(stretches: Sequence[tuple[int, int]], every: int) -> Iterator[tuple[int, int]]:
    """So many neighbours as one."""
    for first in range(0, len(stretches), every):
        group = stretches[first : first + every]
        yield group[0][0], group[-1][1]
