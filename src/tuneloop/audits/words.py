"""Words of a text as audits look at them: found, put in, taken out. A Chinese word is one or two characters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from tuneloop.data.examples import Input
from tuneloop.data.units import HAN, UNIT, is_han

WORD = re.compile(rf"[{HAN}]+|[^\W{HAN}]+(?:['’][^\W{HAN}]+)*|[^\w\s]+")
"""A run of Chinese characters, a word with its apostrophes, or a run of signs."""

TYPICAL = 0.8
"""Share of its texts in which a word begins or ends the text, from which that is its place."""

LONGEST = 6
"""Characters of a Chinese word that is made longer than two."""

Place = Literal["start", "end", "anywhere"]


def words(text: str) -> set[str]:
    """The different words of a text in lower case, runs of signs among them."""
    found: set[str] = set()
    for run in WORD.findall(text.lower()):
        if is_han(run[0]):
            found |= set(run) | {run[at : at + 2] for at in range(len(run) - 1)}
        else:
            found.add(run)
    return found


def holds(text: str, word: str) -> bool:
    """Whether a word stands in a text."""
    return _pattern(word).search(text) is not None


def without(text: str, word: str) -> str:
    """A text after a word was taken out wherever it stood."""
    return " ".join(_pattern(word).sub(" ", text).split()) if not is_han(word[0]) else _pattern(word).sub("", text)


def inserted(text: str, word: str, *, where: float) -> str:
    """A text with a word put in between two of its units.

    Args:
        where: 0 before the first unit, 1 behind the last.
    """
    gaps = [0, *(match.end() for match in UNIT.finditer(text))]
    at = gaps[min(int(where * len(gaps)), len(gaps) - 1)]
    gap = "" if is_han(word[0]) and any(map(is_han, text)) else " "
    before, after = text[:at], text[at:]
    left = gap if before and not before[-1].isspace() else ""
    right = gap if after and not after[0].isspace() else ""
    return f"{before}{left}{word}{right}{after}"


def place_of(texts: Iterable[str], word: str) -> Place:
    """Where a word mostly stands in the texts that have it."""
    pattern = _pattern(word)
    starts = ends = count = 0
    for text in texts:
        matches = list(pattern.finditer(text))
        if not matches:
            continue
        count += 1
        starts += not re.search(r"\w", text[: matches[0].start()])
        ends += not re.search(r"\w", text[matches[-1].end() :])
    if count and starts >= TYPICAL * count:
        return "start"
    return "end" if count and ends >= TYPICAL * count else "anywhere"


def as_written(texts: Iterable[str], word: str) -> str:
    """The spelling in which a word mostly stands in the texts that have it."""
    pattern = _pattern(word)
    found = Counter(match.group() for text in texts for match in pattern.finditer(text))
    return found.most_common(1)[0][0] if found else word


def grown(texts: Sequence[str], word: str, *, share: float = 0.9) -> str:
    """A Chinese word with the characters that nearly always stand beside it in the texts that have it."""
    while is_han(word[0]) and len(word) < LONGEST:
        sides = [(side, *_neighbour(texts, word, side)) for side in ("left", "right")]
        side, character, often = max(sides, key=lambda each: each[2])
        if often < share:
            return word
        word = character + word if side == "left" else word + character
    return word


def side_of(item: Input, side: int) -> str:
    """The first (0) or the second (1) text of an input."""
    return item if isinstance(item, str) else item[side]


def with_side(item: Input, side: int, text: str) -> Input:
    """An input with another first or second text."""
    if isinstance(item, str):
        return text
    return (text, item[1]) if side == 0 else (item[0], text)


def _neighbour(texts: Sequence[str], word: str, side: str) -> tuple[str, float]:
    """The commonest Chinese character beside a word, and in which share of its places."""
    found: Counter[str] = Counter()
    for text in texts:
        for match in re.finditer(re.escape(word), text):
            at = match.start() - 1 if side == "left" else match.end()
            found[text[at] if 0 <= at < len(text) else ""] += 1
    character, count = max(found.items(), key=lambda each: each[1], default=("", 0))
    return (character, count / found.total()) if character and is_han(character) else ("", 0.0)


def _pattern(word: str) -> re.Pattern[str]:
    """Finds a word where it stands apart; a Chinese one anywhere."""
    if is_han(word[0]):
        return re.compile(re.escape(word))
    if re.match(r"\w", word[0]):
        return re.compile(rf"(?<![^\W{HAN}])(?<!\w['’]){re.escape(word)}(?![^\W{HAN}]|['’]\w)", re.IGNORECASE)
    return re.compile(rf"(?<![^\w\s]){re.escape(word)}(?![^\w\s])")
