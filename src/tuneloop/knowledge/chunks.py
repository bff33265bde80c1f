"""A document in chunks: stretches short enough for an embedding model and for a citation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tuneloop.data.units import HAN
from tuneloop.knowledge.documents import Document

HAN_SIZE = 3
"""A Chinese character counts as so many letters: that is how many tokens it is of an embedding model."""

CHINESE = re.compile(f"[{HAN}]")
END = re.compile(
    r"""(?<=[.!?])["')\]]*\s+(?=\S)     # the end of a sentence
    | (?<=[。！？；])["'」』”’）]*(?=\S)  # the end of a Chinese one
    | \n(?=[ \t]*(?:\n|[-*+|>#]|\d{1,4}[.)]\s)) # an empty line, or the next is of a list, a table or a quotation
    """,
    re.VERBOSE,
)
ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|cf|vs|etc|Dr|Mr|Mrs|Ms|Fig|No|p|pp|al)|\b[A-Z])\.\s*$")


class Chunk(NamedTuple):
    """A stretch of a document's text; from `start` up to, not including, `end`."""

    start: int
    end: int
    section: str
    page: int | None


def chunks(document: Document, *, size: int, overlap: int) -> Iterator[Chunk]:
    """The chunks of a document, in order; none crosses a section or page.

    Args:
        size: letters of a chunk at most; a Chinese character counts as three.
        overlap: letters that a chunk repeats of the one before, in whole sentences.
    """
    for offset, part in document.placed():
        spans = [(0, len(part.text))] if part.whole else _packed(part.text, size, overlap)
        for start, end in spans:
            yield Chunk(offset + start, offset + end, part.section, part.page)


def sentences(text: str) -> list[tuple[int, int]]:
    """Where each sentence, item or line of a table begins and ends; blanks around it are left out."""
    borders, last = [0], 0
    for found in END.finditer(text):
        if not ABBREVIATION.search(text, max(last, found.start() - 8), found.start()):
            borders.append(last := found.end())
    spans = zip(borders, [*borders[1:], len(text)], strict=True)
    return [span for span in (_stripped(text, start, end) for start, end in spans) if span[0] < span[1]]


def length(text: str) -> int:
    """Letters of a text; a Chinese character counts as three."""
    return len(text) if text.isascii() else len(text) + (HAN_SIZE - 1) * len(CHINESE.findall(text))


def _packed(text: str, size: int, overlap: int) -> list[tuple[int, int]]:
    """Sentences together, as many as fit, each stretch beginning with the last ones of the stretch before."""
    pieces = [piece for start, end in sentences(text) for piece in _cut(text, start, end, size)]

    def taken(first: int, last: int) -> int:
        return length(text[pieces[first][0] : pieces[last][1]])

    found: list[tuple[int, int]] = []
    first, new = 0, 0
    for number in range(len(pieces)):
        if number > new and taken(first, number) > size:
            found.append((pieces[first][0], pieces[number - 1][1]))
            first = new = number
            while first and taken(first - 1, number - 1) <= overlap and taken(first - 1, number) <= size:
                first -= 1
    return [*found, (pieces[first][0], pieces[-1][1])] if pieces else []


def _cut(text: str, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """A sentence longer than a chunk, cut at the end of a line or word where there is one."""
    while length(text[start : min(end, start + size + 1)]) > size:
        stop = start + _fitting(text[start : start + size], size)
        place = max(text.rfind("\n", start + 1, stop), 0) or max(text.rfind(" ", start + 1, stop), 0)
        stop = place if place > start + (stop - start) // 2 else stop
        yield _stripped(text, start, stop)
        start = _stripped(text, stop, end)[0]
    if start < end:
        yield start, end


def _fitting(text: str, size: int) -> int:
    """How many of the first characters are no longer than `size`; one at least."""
    if text.isascii():
        return max(1, min(len(text), size))
    total = 0
    for place, character in enumerate(text):
        total += HAN_SIZE if CHINESE.match(character) else 1
        if total > size:
            return max(1, place)
    return len(text)


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """The stretch without the blanks around it."""
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    return (start + left, start + len(piece.rstrip())) if left < len(piece) else (end, end)
