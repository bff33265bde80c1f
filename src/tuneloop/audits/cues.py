"""Words that predict a class: how often they stand with it, against chance.

Whatever its meaning, a single word should not decide a class: Gardner et al., "Competency Problems: On Finding and
Removing Artifacts in Language Data" (EMNLP 2021). Fisher's exact test, one-sided, of every word with every class,
corrected for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tuneloop.audits.corrections import benjamini_hochberg
from tuneloop.audits.words import words
from tuneloop.data.examples import Examples, Input

MIN_ROWS = 12
"""Training rows that a word must stand in."""

SIGNIFICANT = 0.01
NEUTRAL = 0.2
"""Uncorrected p from which a word says nothing about any class."""

ALIKE = 0.8
"""Jaccard similarity of their rows from which two words are told as one."""

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Cue:
    """A word that stands with one class more often than chance allows.

    Args:
        word: in lower case.
        side: 0 for the first text, 1 for the second.
        label: the class.
        rows: training rows that have it.
        of_label: how many of them are of the class.
        low: lower bound of the 95 % interval of that share (Wilson 1927).
        p: corrected for all words and classes.
        also: other words that stand in the same rows.
        evidence: log-odds of the class at `low`, beyond those of any row.
        at: which of the rows that were looked at have the word.
    """

    word: str
    side: int
    label: str
    rows: int
    of_label: int
    low: float
    p: float
    also: tuple[str, ...] = ()
    evidence: float = 0.0
    at: tuple[int, ...] = field(default=(), compare=False, repr=False)

    @property
    def purity(self) -> float:
        """Share of its rows that are of the class."""
        return self.of_label / self.rows


@dataclass(frozen=True)
class Vocabulary:
    """Which words stand in which rows, and how they go with the classes.

    Args:
        words: each with its side, those with `MIN_ROWS` rows.
        rows: of each word.
        counts: rows of each word by class, (words, classes).
        classes: how the columns are called.
        totals: rows of each class, (classes,).
    """

    words: tuple[tuple[str, int], ...]
    rows: tuple[Array, ...]
    counts: Array
    classes: tuple[str, ...]
    totals: Array

    def p_values(self) -> Array:
        """Fisher's p of each word with each class, (words, classes), not corrected."""
        from scipy.stats import hypergeom

        if not self.words:
            return np.ones((0, len(self.classes)))
        often = self.counts.sum(axis=1, keepdims=True)
        return np.asarray(hypergeom.sf(self.counts - 1, self.totals.sum(), self.totals[None], often))


def vocabulary(examples: Examples, classes: Sequence[str]) -> Vocabulary:
    """The words of rows with one class each."""
    place = {label: column for column, label in enumerate(classes)}
    labels = np.array([place[str(label)] for label in examples.labels], dtype=np.int64)
    found: dict[tuple[str, int], list[int]] = {}
    for row, item in enumerate(examples.inputs):
        for key in _words_of(item):
            found.setdefault(key, []).append(row)
    kept = {key: np.array(rows) for key, rows in sorted(found.items()) if len(rows) >= MIN_ROWS}
    counts = [np.bincount(labels[rows], minlength=len(classes)) for rows in kept.values()]
    return Vocabulary(
        tuple(kept),
        tuple(kept.values()),
        np.array(counts).reshape(len(kept), len(classes)),
        tuple(classes),
        np.bincount(labels, minlength=len(classes)),
    )


def cues(known: Vocabulary, *, most: int) -> list[Cue]:
    """The words that predict a class best, at most so many of each class, told as one where their rows are the same."""
    p = benjamini_hochberg(known.p_values())
    often = known.counts.sum(axis=1, keepdims=True)
    low = _wilson_low(known.counts, np.maximum(often, 1))
    prior = known.totals / max(known.totals.sum(), 1)
    evidence = _logit(low) - _logit(prior)[None]
    found: list[Cue] = []
    for column, label in enumerate(known.classes):
        ranked = [row for row in np.argsort(-evidence[:, column], kind="stable") if p[row, column] < SIGNIFICANT]
        for row, also in _apart(known, ranked[: 4 * most])[:most]:
            word, side = known.words[row]
            counts = int(often[row, 0]), int(known.counts[row, column])
            at = tuple(known.rows[row].tolist())
            shares = float(low[row, column]), float(p[row, column])
            found.append(Cue(word, side, label, *counts, *shares, also, float(evidence[row, column]), at))
    return sorted(found, key=lambda cue: (-cue.low, cue.word))


def strongest(found: Sequence[Cue], most: int) -> list[Cue]:
    """At most so many cues of all classes together, those with the most evidence, in their order."""
    kept = {id(cue) for cue in sorted(found, key=lambda cue: (-cue.evidence, cue.word))[:most]}
    return [cue for cue in found if id(cue) in kept]


def neutral_words(known: Vocabulary) -> list[tuple[str, int, int]]:
    """Words that say nothing about any class, with side and number of rows: what cues are held against."""
    p = np.minimum(known.p_values(), 1.0)
    # a word that avoids a class stands with the others more often, which their own test sees
    quiet = p.min(axis=1) > NEUTRAL / max(len(known.classes), 1) if len(p) else np.zeros(0, bool)
    return [
        (*known.words[row], int(known.counts[row].sum()))
        for row in np.flatnonzero(quiet)
        if known.words[row][0][0].isalnum()
    ]


def _words_of(item: Input) -> set[tuple[str, int]]:
    sides = (item,) if isinstance(item, str) else item
    return {(word, side) for side, text in enumerate(sides) for word in words(text)}


def _apart(known: Vocabulary, ranked: Sequence[int]) -> list[tuple[int, tuple[str, ...]]]:
    """Ranked words without those that stand in the rows of an earlier one, which has them beside it."""
    kept: list[tuple[int, list[str]]] = []
    sets: dict[int, set[int]] = {}
    for row in ranked:
        mine = set(known.rows[row].tolist())
        twin = next((each for each in kept if _overlap(mine, sets[each[0]]) >= ALIKE), None)
        if twin is None:
            sets[row] = mine
            kept.append((row, []))
        else:
            twin[1].append(known.words[row][0])
    return [(row, tuple(also)) for row, also in kept]


def _overlap(one: set[int], other: set[int]) -> float:
    return len(one & other) / len(one | other)


def _wilson_low(counts: Array, of: Array) -> Array:
    z = 1.959964
    share = counts / of
    middle = share + z**2 / (2 * of)
    spread = z * np.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    return np.asarray((middle - spread) / (1 + z**2 / of))


def _logit(share: Array) -> Array:
    inside = np.clip(share, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside / (1 - inside)))
