"""How many words may be changed without any way of changing the answer: proven, for a model that votes.

The model does not answer the text but many copies of it, from which each word was deleted by chance, and the most
frequent answer wins. Texts that are d insertions, deletions and replacements of words apart become the same copy
wherever all the words that differ are deleted, so the probability of an answer moves by at most 1 - p^d, where p is
the probability of a deletion: Huang et al., "RS-Del: Edit Distance Robustness Certificates for Sequence Classifiers via
Randomized Deletion" (2023). The bound is on the share of votes, by Clopper and Pearson (1934).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from tuneloop.audits.base import Outcome, Subject, share
from tuneloop.core.i18n import t
from tuneloop.data.examples import Input
from tuneloop.data.units import HAN
from tuneloop.inference.changed import answered, text_of, with_text

PIECE = re.compile(rf"[{HAN}]|[^\s{HAN}]+")
RISK = 0.05
"""Probability that a certificate of a row is wrong, over the draws of its votes."""
PILOT = 0.2
"""Share of the votes that choose the answer; the others tell how often it wins, so that neither flatters the other."""
DISTANCES = (1, 2, 3)


def measure_certified(
    subject: Subject, *, rows: int, votes: int, deletion: float, tell: Callable[[str], None]
) -> Outcome:
    """Figures `certified.D`, rows rightly answered whatever D words are changed, and `voting_accuracy` without any.

    Args:
        rows: the first ones, at most.
        votes: copies of each text.
        deletion: probability with which each word is deleted.
    """
    chosen = range(min(rows, len(subject.test)))
    texts = {row: _copies(subject, row, votes, deletion) for row in chosen}
    tell(t("votes for the certified bound"))
    answers = answered(subject.model, [item for copies in texts.values() for item in copies])
    radii, fine = [], 0
    pilot = max(1, int(PILOT * votes))
    for row, copies in texts.items():
        said = [answers[item].label for item in copies]
        winner: Any = Counter(said[:pilot]).most_common(1)[0][0]
        if winner != subject.test.labels[row]:
            continue
        fine += 1
        radii.append(radius(said[pilot:].count(winner), votes - pilot, deletion))
    figures = {"voting_accuracy": share(fine, len(texts))}
    figures |= {f"certified.{d}": share(sum(each >= d for each in radii), len(texts)) for d in DISTANCES}
    return Outcome(figures)


def radius(count: int, votes: int, deletion: float) -> int:
    """The largest d for which an answer with so many of these votes keeps more than half of them.

    Changing d words moves its probability by at most 1 - p^d, so p^d must stay above 3/2 minus its lower bound.
    """
    from scipy.stats import binomtest

    low = float(binomtest(count, votes, alternative="greater").proportion_ci(1 - RISK, method="exact").low)
    need = 1.5 - low
    return 0 if need >= 1 else int(np.ceil(np.log(need) / np.log(deletion)) - 1)


def _copies(subject: Subject, row: int, votes: int, deletion: float) -> list[Input]:
    """The text without the words that chance deletes, so often; a text of which nothing is left is empty."""
    item = subject.test.inputs[row]
    pieces = list(PIECE.finditer(text_of(item)))
    keep = subject.random(f"certified {subject.test.ids[row]}").random((votes, len(pieces))) >= deletion
    return [with_text(item, _kept(pieces, each)) for each in keep]


def _kept(pieces: list[re.Match[str]], keep: Any) -> str:
    """The kept words. Which spaces there were does not matter, or two texts would not become the same copy."""
    words = [piece.group() for piece, stays in zip(pieces, keep, strict=True) if stays]
    return re.sub(rf"(?<=[{HAN}]) (?=[{HAN}])", "", " ".join(words))
