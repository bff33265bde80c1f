"""What two texts differ in, word by word."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

PART = re.compile(r"\s+|[\u3040-\u30ff\u3400-\u9fff]|\w+(?:['\u2019.,:-]\w+)*|\S")
"""Blanks, characters of Chinese and Japanese, words with what binds them, and single signs."""


class Change(NamedTuple):
    """A stretch of both texts, or of one: `same`, `ins` of the second alone, `del` of the first alone."""

    kind: Literal["same", "ins", "del"]
    text: str


def word_changes(before: str, after: str) -> list[Change]:
    """How `before` becomes `after`: all but what is inserted is the first text, all but what is deleted the second."""
    first, second = PART.findall(before), PART.findall(after)
    found: list[Change] = []
    for kind, start, end, low, high in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if kind == "equal":
            found.append(Change("same", "".join(first[start:end])))
            continue
        found += [Change("del", "".join(first[start:end]))] if end > start else []
        found += [Change("ins", "".join(second[low:high]))] if high > low else []
    return found
