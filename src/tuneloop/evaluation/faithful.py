"""How far answers keep to the text they were given: words, runs of words, numbers and names that stand in it.

No model judges here, so that the figures mean the same everywhere. They tell where an answer says something else, not
whether what it says is true: right words can make a wrong sentence, and a good answer may use words of its own. The
figures of the references stand beside them for that reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.conversation import spoken
from tuneloop.data.numbers import numbers_of
from tuneloop.data.units import HAN

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples

APART = f"\u3040-\u30ff{HAN}"
"""Characters of Chinese and Japanese, each of which counts as a word."""

WORD = re.compile(rf"[{APART}]|[^\W_{APART}]+")
SENTENCE_START = re.compile(r"(^|[.!?:;\u2022\n\"\u201c(\[-])\s*$")

NEAR = 4
"""Characters before a word in which a sentence may have ended."""

Ratio = tuple[list[float], list[float]]


def contexts_of(examples: Examples, column: str) -> list[str]:
    """What the answer to each row is to keep to, (n,): the column, or all that is said in the prompt.

    Raises:
        DataError: if there is no such column.
    """
    if not column:
        return [spoken(text) for text in examples.texts]
    if column not in examples.columns:
        raise DataError(
            t('evaluation.context: there is no column "{name}" beside the texts.', name=column),
            t("Columns that are kept: {known}.", known=", ".join(examples.columns) or "-"),
        )
    return ["" if value is None else str(value) for value in examples.columns[column]]


def faithfulness(texts: Sequence[str], contexts: Sequence[str]) -> dict[str, Ratio]:
    """Tops and bottoms of each figure, (n,) each; a figure is the sum of the tops by the sum of the bottoms.

    `support` and `density` are coverage and density of Grusky, Naaman and Artzi, "Newsroom: A Dataset of 1.3 Million
    Summaries with Diverse Extractive Strategies" (2018): the share of the words that stand in the context, and how long
    the copied run is that a word belongs to, on average. `known_numbers` and `known_names` are the shares of numbers
    and of names that stand in the context: what is invented is mostly found there (Nan et al., "Entity-level Factual
    Consistency of Abstractive Text Summarization", 2021). A name is a word with a capital that begins no sentence;
    scripts without capitals have none.
    """
    rows = [list(_counts(text, context)) for text, context in zip(texts, contexts, strict=True)]
    names = ("support", "density", "known_numbers", "known_names")
    return {
        name: ([row[number][0] for row in rows], [row[number][1] for row in rows]) for number, name in enumerate(names)
    }


def fragments(words: Sequence[str], context: Sequence[str]) -> list[int]:
    """Lengths of the runs of words that stand in the context too, the longest possible from left to right."""
    known: dict[str, int] = {}
    written, given = ("".join(chr(known.setdefault(word, len(known))) for word in each) for each in (words, context))
    found, start = [], 0
    while start < len(written):
        length = 0
        # the search for a longer run goes on where the shorter one was found
        place = given.find(written[start])
        while place >= 0 and start + length < len(written):
            length += 1
            if start + length == len(written):
                break
            place = given.find(written[start : start + length + 1], place)
        found += [length] if length else []
        start += max(1, length)
    return found


def words_of(text: str) -> list[str]:
    """The words of a text in lower case; each Chinese or Japanese character is one."""
    return WORD.findall(text.lower())


def _counts(text: str, context: str) -> Iterator[tuple[float, float]]:
    """Top and bottom of each figure."""
    written, given = words_of(text), words_of(context)
    copied = fragments(written, given)
    yield sum(copied), len(written)
    yield sum(length**2 for length in copied), len(written)
    for asked, known in ((numbers_of(text), set(numbers_of(context, articles=True))), (names_of(text), set(given))):
        yield sum(each in known for each in asked), len(asked)


def names_of(text: str) -> list[str]:
    """The words with a capital, in lower case, but for "I" and for one capital that begins a sentence."""
    found = []
    for match in WORD.finditer(text):
        capitals = sum(map(str.isupper, match[0]))
        begins = SENTENCE_START.search(text, max(0, match.start() - NEAR), match.start()) is not None
        if capitals > begins and match[0] != "I":
            found.append(match[0].lower())
    return found
