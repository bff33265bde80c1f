"""Which numbers and names of a text an answer has lost, and which it has made up."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from tuneloop.data.numbers import numbers_of
from tuneloop.evaluation import faithful

SMALL = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
COUNTS = {word: str(number) for number, word in enumerate(SMALL, start=2)} | {
    word: str(10 * number) for number, word in enumerate(TENS, start=2)
}
"""English numbers in letters; "one" is none, as it mostly says no more than "a"."""

COUNT = re.compile(rf"\b(?:{'|'.join(COUNTS)})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Kept:
    """Numbers and names, each as often as it is missing or too many.

    Args:
        lost: of the text, that the answer does not have.
        made_up: of the answer, that the text does not have.
    """

    lost: tuple[str, ...]
    made_up: tuple[str, ...]


def kept(text: str, answer: str) -> Kept:
    """What of the numbers and names of `text` stands in `answer`, and the other way round.

    A number is the same however it is written ("1,000", "1000"; "three", "3"), and counts as often as it stands. A
    name is a word with a capital that begins no sentence, once for all its places; it is kept wherever the other text
    has that word, with or without a capital. A name that only begins sentences is not seen.
    """
    said, told = Counter(_numbers(text)), Counter(_numbers(answer))
    allowed = set(_numbers(text, articles=True))
    words, answered = set(faithful.words_of(text)), set(faithful.words_of(answer))
    lost = [*(said - told).elements(), *(name for name in _names(text) if name not in answered)]
    new = [number for number in told if number not in allowed]
    new += [name for name in _names(answer) if name not in words]
    return Kept(tuple(lost), tuple(new))


def _numbers(text: str, *, articles: bool = False) -> list[str]:
    """Numbers in figures, in Chinese numerals and in English letters."""
    return numbers_of(COUNT.sub(lambda match: COUNTS[match[0].lower()], text), articles=articles)


def _names(text: str) -> list[str]:
    """Names, each once, without numbers that are written with a capital."""
    return [name for name in dict.fromkeys(faithful.names_of(text)) if name not in COUNTS]
