"""Whether a classifier can tell new texts from old ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.watch.base import Event
from tuneloop.watch.drift.base import Effect, Rows, counted, dealt
from tuneloop.watch.drift.embedding import Vectors

RIDGE = 10.0
"""Penalty, in mean squared lengths of the centred vectors."""


class Classifier(Vectors):
    """How well a linear classifier tells a window from what came before, with permutations.

    The classifier two-sample test of Lopez-Paz and Oquab (ICLR 2017) with ridge regression, of which what it says of a
    text that it has not seen is known without fitting it again (leave-one-out; Hastie, Tibshirani and Friedman, "The
    Elements of Statistical Learning", eq. 7.64). So every permutation is fitted anew, and no row is spared for testing.
    """

    name = "classifier"

    def p_value(self, past: Rows, window: Rows, random: np.random.Generator) -> float:
        marks = dealt(len(past) + len(window), len(window), random)
        said = unseen(np.concatenate([past, window]), marks.T).T
        # a new domain is a few texts of which the classifier is sure, among many that are as before
        said = np.maximum(said - said.mean(axis=1, keepdims=True), 0) ** 2
        size, rest = len(window), len(past)
        found = (said * marks).sum(axis=1) / size - (said * (1 - marks)).sum(axis=1) / rest
        return counted(found[1:], float(found[0]))

    def effect(self, reference: Sequence[Event], window: Sequence[Event]) -> Effect | None:
        from sklearn.metrics import roc_auc_score

        before, now = self.measure(reference), self.measure(window)
        if len(before) < self.fewest or len(now) < self.fewest:
            return None
        new = np.repeat(np.array([0, 1], np.float32), [len(before), len(now)])
        said = unseen(np.concatenate([before, now]), new[:, None])[:, 0]
        return Effect(float(roc_auc_score(new, said)), 0.5)

    @classmethod
    def title(cls) -> str:
        return t("new texts told from old ones")

    @classmethod
    def sentence(cls, effect: Mapping[str, Any]) -> str:
        return t(
            "of a new text and one of the reference a classifier tells which is which {now:.0%} of the time, 50% is "
            "chance",
            now=effect["value"],
        )


def unseen(rows: Rows, new: Any) -> Any:
    """What ridge regression says of each row when it is fitted to all others.

    Args:
        rows: float32, (n, dimensions).
        new: 1 for new rows and 0 for old ones, (n, choices); each column is fitted by itself.

    Returns:
        (n, choices); larger is more like the new ones.
    """
    centred = (rows - rows.mean(axis=0)).astype(np.float64)
    kernel = centred @ centred.T
    n = len(kernel)
    penalty = RIDGE * float(np.trace(kernel)) / n or 1.0
    fit = np.linalg.solve(kernel + penalty * np.eye(n), kernel).T.astype(np.float32)
    own = np.diag(fit)[:, None]
    target = new - new.mean(axis=0)
    return (fit @ target - own * target) / (1 - own)
