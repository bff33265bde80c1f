"""Does a model rely on a word? The word is put into texts that say something else, and taken out of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tuneloop.audits.answers import answers
from tuneloop.audits.base import Figure, Subject, Tell, share
from tuneloop.audits.corrections import holm
from tuneloop.audits.cues import Cue
from tuneloop.audits.words import as_written, grown, holds, inserted, place_of, side_of, with_side, without
from tuneloop.core.i18n import t
from tuneloop.data.examples import Examples, Input

TEXTS = 40
"""Texts into which each word is put, and from which it is taken, at most."""

CONTROLS = 2
"""Words of about the same frequency that each word is held against."""

PURE, PURE_LOW = 0.98, 0.92
"""Share of a word's rows that are of one class, and its lower bound, from which the word alone gives the class away."""

DECISIVE = 0.3
"""Share of answers that a word turns by itself, put in or taken out, from which it decides."""

OUTSTANDING = 1.3
"""How far a shortcut moves the model, as a multiple of what three quarters of all predictive words do."""

SURE = 0.001
"""Corrected p of a shortcut."""

FEW = 2
"""Other predictive words below which there is no crowd that a word would have to stand out from."""

LEAST_SHIFT = 1.0
"""Log-odds that a shortcut moves a model at least."""

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Reliance:
    """What a model makes of a cue.

    Args:
        cue: the word and its class.
        spelling: as it was put in.
        place: start, end or anywhere: where it stands in training, and where it was put in.
        moved: share of texts of other classes, rightly answered, that get the cue's class once the word is in.
        control: the same with words that say nothing.
        lost: share of its own texts that leave the class when it is taken out.
        shift: mean change of the log-odds of the class through the word.
        p: of `moved` being no larger than `control`, by Fisher's exact test with Holm's correction over all cues.
        ordinary: `shift` that three quarters of the other cues stay below; 0 where there are fewer than `FEW`.
    """

    cue: Cue
    spelling: str
    place: str
    moved: Figure
    control: Figure
    lost: Figure
    shift: float
    p: float
    ordinary: float = 0.0

    @property
    def relied_on(self) -> bool:
        """Whether the word moves answers more than words do that say nothing."""
        return self.p < 0.01

    @property
    def is_shortcut(self) -> bool:
        """Whether the word alone gives a class away and decides, far beyond what other predictive words do.

        A word whose meaning is the class is one of many such words: it has company, exceptions in the data, and a text
        that clearly says something else outweighs it, while its own texts say the same without it.
        """
        return (
            self.cue.purity >= PURE
            and self.cue.low >= PURE_LOW
            and self.p < SURE
            and max(self.moved.value or 0.0, self.lost.value or 0.0) >= DECISIVE
            and self.shift >= max(OUTSTANDING * self.ordinary, LEAST_SHIFT)
        )


@dataclass(frozen=True)
class Answered:
    """Held-out texts that the model answers rightly."""

    inputs: list[Input]
    labels: list[str]

    def others(self, cue: Cue, random: np.random.Generator) -> list[Input]:
        """At most `TEXTS` of other classes than the cue's that do not have the word."""
        rows = [
            item
            for item, label in zip(self.inputs, self.labels, strict=True)
            if label != cue.label and not holds(side_of(item, cue.side), cue.word)
        ]
        return [rows[row] for row in random.permutation(len(rows))[:TEXTS]]


def reliances(
    subject: Subject, found: Sequence[Cue], neutral: Sequence[tuple[str, int, int]], held_out: Examples, tell: Tell
) -> list[Reliance]:
    """What the model makes of each cue, those it relies on most first.

    Args:
        subject: with those rows as `train` that the cues were found in.
        neutral: words that say nothing, see `cues.neutral_words`.
        held_out: rows the model has not learnt from.
    """
    given = answers(subject.model, held_out.inputs, subject.model.scores(held_out.inputs))
    right = [row for row, answer in enumerate(given) if answer == held_out.labels[row]]
    texts = Answered([held_out.inputs[row] for row in right], [str(held_out.labels[row]) for row in right])
    measured = []
    for number, cue in enumerate(found, 1):
        tell(t("words that predict a class: {number} of {count}", number=number, count=len(found)))
        measured.append(_measured(subject, cue, neutral, texts))
    corrected = holm([each.p for each in measured])
    ordinary = [_ordinary([other.shift for other in measured if other is not each]) for each in measured]
    complete = [
        replace(each, p=float(p), ordinary=usual) for each, p, usual in zip(measured, corrected, ordinary, strict=True)
    ]
    return sorted(complete, key=lambda each: (-each.shift, each.cue.word))


def _ordinary(shifts: list[float]) -> float:
    return max(0.0, float(np.quantile(shifts, 0.75))) if len(shifts) >= FEW else 0.0


def _measured(subject: Subject, cue: Cue, neutral: Sequence[tuple[str, int, int]], answered: Answered) -> Reliance:
    from scipy.stats import fisher_exact

    random = subject.random(f"{cue.word} {cue.side} {cue.label}")
    inputs = subject.train.inputs
    own = [inputs[row] for row in cue.at]
    texts = [side_of(item, cue.side) for item in own]
    spelling = as_written(texts, grown(texts, cue.word))
    place = place_of(texts, spelling)
    items = answered.others(cue, random)
    wheres = [{"start": 0.0, "end": 1.0}.get(place, float(random.random())) for _ in items]
    nearest = sorted((abs(np.log(count / cue.rows)), word) for word, side, count in neutral if side == cue.side)
    controls = [word for _, word in nearest[:CONTROLS]]
    changed = [
        with_side(item, cue.side, inserted(side_of(item, cue.side), word, where=where))
        for word in (spelling, *controls)
        for item, where in zip(items, wheres, strict=True)
    ]
    column, n = subject.task.labels.index(cue.label), len(items)
    scores = np.asarray(subject.model.scores([*items, *changed]))
    before, after = scores[:n], scores[n:]
    moves = np.array([answer == cue.label for answer in answers(subject.model, changed, after)], dtype=bool)
    moved, control, of = int(moves[:n].sum()), int(moves[n:].sum()), n * len(controls)
    shift = float((_log_odds(after[:n, column]) - _log_odds(before[:, column])).mean()) if n else 0.0
    p = fisher_exact([[moved, n - moved], [control, of - control]], alternative="greater").pvalue if n and of else 1.0
    lost = _lost(subject, cue, own[:TEXTS], spelling)
    return Reliance(cue, spelling, place, share(moved, n), share(control, of), lost, shift, float(p))


def _lost(subject: Subject, cue: Cue, own: list[Input], spelling: str) -> Figure:
    """Of training texts with the word that are answered with its class, how many no longer are without it."""
    bare = [with_side(item, cue.side, without(side_of(item, cue.side), spelling)) for item in own]
    pairs = [(item, rest) for item, rest in zip(own, bare, strict=True) if side_of(rest, cue.side).strip()]
    inputs = [each for pair in pairs for each in pair]
    given = answers(subject.model, inputs, subject.model.scores(inputs)) if inputs else []
    left = [after != cue.label for before, after in zip(given[::2], given[1::2], strict=True) if before == cue.label]
    return share(sum(left), len(left))


def _log_odds(share: Array) -> Array:
    inside = np.clip(share.astype(np.float64), 1e-4, 1 - 1e-4)
    return np.asarray(np.log(inside / (1 - inside)))
