"""The figures of CMRC 2018: Cui et al., "A Span-Extraction Dataset for Chinese Machine Reading Comprehension" (2019).

Unlike SQuAD's, its F1 is that of the longest run of characters that two answers share. Runs of Latin letters are one
word each; the official script splits them with NLTK instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tuneloop.data.examples import Label

PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》…·、「」（）－～『』")
"""What does not count when answers are compared."""

WORD = re.compile(r"[\u4e00-\u9fa5]|[^\W\u4e00-\u9fa5]+|[^\w\s]")


def row_figures(labels: Sequence[Label], answers: Sequence[Label]) -> dict[str, Any]:
    """`cmrc_exact_match` and `cmrc_f1` of each row, (n,); the best over all right answers counts."""
    rows = list(zip(labels, answers, strict=True))
    return {
        "cmrc_exact_match": np.array([_best(exact, *row) for row in rows]),
        "cmrc_f1": np.array([_best(shared_run_f1, *row) for row in rows]),
    }


def exact(one: str, other: str) -> float:
    """1 if two answers are alike but for case and punctuation, else 0."""
    return float(_bare(one) == _bare(other))


def shared_run_f1(one: str, other: str) -> float:
    """F1 of the longest run that two answers share, in characters (Chinese) and words (Latin)."""
    first, second = WORD.findall(_bare(one)), WORD.findall(_bare(other))
    run = _longest_run(first, second)
    return 2 * run / (len(first) + len(second)) if run else 0.0


def _longest_run(first: list[str], second: list[str]) -> int:
    longest, before = 0, [0] * (len(second) + 1)
    for word in first:
        row = [0]
        for place, other in enumerate(second):
            row.append(before[place] + 1 if word == other else 0)
        longest, before = max(longest, *row), row
    return longest


def _bare(answer: str) -> str:
    return "".join(character for character in answer.lower().strip() if character not in PUNCTUATION)


def _best(figure: Any, label: Label, answer: Label) -> float:
    given = "".join(span.label for span in answer)  # type: ignore[union-attr]
    right = [span.label for span in label] or [""]  # type: ignore[union-attr]
    return float(max(figure(given, each) for each in right))
