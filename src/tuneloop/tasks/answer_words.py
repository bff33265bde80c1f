"""What two short answers have in common, as SQuAD counts it, with every Chinese character as a word."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter

from tuneloop.data.units import HAN


def shared_f1(one: str, other: str) -> float:
    """F1 of the words that two answers share, as in the evaluation of Rajpurkar et al., "SQuAD" (2016)."""
    first, second = answer_words(one), answer_words(other)
    if not first or not second:
        return float(first == second)
    shared = sum((Counter(first) & Counter(second)).values())
    return 2 * shared / (len(first) + len(second))


def same_words(one: str, other: str) -> float:
    """1 if two answers are the same words, 0 if not."""
    return float(answer_words(one) == answer_words(other))


def answer_words(answer: str) -> list[str]:
    """The words of an answer without case, punctuation and English articles; each Chinese character is one."""
    kept = "".join(c for c in answer.lower() if c not in string.punctuation and unicodedata.category(c)[0] != "P")
    spaced = re.sub(f"([{HAN}])", r" \1 ", re.sub(r"\b(a|an|the)\b", " ", kept))
    return spaced.split()
