"""How much the length of a text alone says of its label, and whether the model goes by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuneloop.audits.answers import answers
from tuneloop.audits.base import Figure, Subject, mean_figure, redrawn
from tuneloop.data.examples import Examples, Input
from tuneloop.data.units import UNIT, is_han

PADDING = {
    "en": ("This was written down on a day of the week.", "The page has two sides, and this is one of them."),
    "zh": ("这是某一天写下来的。", "这页纸有两面，这是其中一面。"),
}
"""Sentences that say nothing of anything."""

TELLING = 0.65
"""Lower bound of AUC from which length alone says much of a class."""

FOLLOWED = 0.2
"""Share of answers that padding must move to the class of long texts, beyond what leaves it, for an alarm."""

RESAMPLES = 500

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class LengthBias:
    """What length says, and what the model makes of it.

    Args:
        label: the class that goes with length most.
        longer: whether its texts are longer than the others, not shorter.
        auc: how well length alone tells the class from the rest, from 0.5 (not at all) to 1.
        followed: share of answers that padding moves to the class of the longest texts, less the share that it moves
            away from it.
    """

    label: str
    longer: bool
    auc: Figure
    followed: Figure

    @property
    def is_bias(self) -> bool:
        """Whether length says much of a class and the model goes by it."""
        return (self.auc.low or 0.0) >= TELLING and (self.followed.low or 0.0) >= FOLLOWED


def length_bias(subject: Subject, test: Examples) -> LengthBias | None:
    """How far length alone leads; None where fewer than two classes occur."""
    lengths = np.array([_length(item) for item in subject.train.inputs], dtype=np.float64)
    labels = np.array([str(label) for label in subject.train.labels])
    classes = [label for label in subject.task.labels if 1 < (labels == label).sum() < len(labels) - 1]
    if len(classes) < 2:
        return None
    values = {label: _auc(lengths, labels == label) for label in classes}
    label = max(values, key=lambda each: (round(abs(values[each] - 0.5), 9), values[each]))
    longer = values[label] >= 0.5
    random = subject.random("length")
    drawn = random.permutation(len(lengths))[:4000]
    auc = _auc_figure(lengths[drawn] * (1 if longer else -1), labels[drawn] == label, random)
    target = label if longer else max(classes, key=lambda each: values[each])
    return LengthBias(label, longer, auc, _followed(subject, test, target))


def padded(item: Input) -> Input:
    """An input, made about twice as long by sentences that say nothing."""
    text = item if isinstance(item, str) else item[1]
    han = sum(map(is_han, text)) > 0.3 * len(text)
    sentences, gap = PADDING["zh" if han else "en"], "" if han else " "
    missing = max(len(text), len(sentences[0]))
    added = ""
    number = 0
    while len(added) < missing:
        added += gap + sentences[number % len(sentences)]
        number += 1
    return text + added if isinstance(item, str) else (item[0], text + added)


def _followed(subject: Subject, test: Examples, label: str) -> Figure:
    """Answers that padding moves to a class, less those that it moves away, as a share of all."""
    if not len(test):
        return Figure(None)
    before, after = (
        np.array(
            [answer == label for answer in answers(subject.model, inputs, subject.model.scores(inputs))], dtype=np.int64
        )
        for inputs in (test.inputs, [padded(item) for item in test.inputs])
    )
    net = after - before
    return mean_figure(net, redrawn(len(net), subject.random("padding"), resamples=RESAMPLES))


def _length(item: Input) -> int:
    texts: Sequence[str] = (item,) if isinstance(item, str) else item
    return sum(1 for text in texts for _ in UNIT.finditer(text))


def _auc(values: Array, positive: Array) -> float:
    """The chance that a text of the class is longer than another one (Mann and Whitney 1947)."""
    from scipy.stats import rankdata

    ranks = rankdata(values)
    n, others = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * others)) if n and others else 0.5


def _auc_figure(values: Array, positive: Array, random: np.random.Generator) -> Figure:
    samples = []
    for _ in range(200):
        rows = random.integers(0, len(values), len(values))
        samples.append(_auc(values[rows], positive[rows]))
    low, high = np.quantile(samples, (0.025, 0.975))
    return Figure(_auc(values, positive), float(low), float(high), len(values))
