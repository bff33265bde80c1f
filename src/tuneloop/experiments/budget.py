"""A snapshot of which only so many labels of each class are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuneloop.core.hashing import hash_json
from tuneloop.data.examples import Examples, Label
from tuneloop.training.prepare import Snapshot

ALL = "all"


@dataclass(frozen=True)
class Budgeted:
    """Splits with at most `budget` rows of each class in train, and as many again in dev; test is whole.

    A dev split of a thousand labels beside a training split of twenty would hide most of the cost of labelling:
    Perez et al., "True Few-Shot Learning with Language Models" (2021). Larger budgets hold the rows of smaller ones.
    Where a row is not of one class, the budget is rows for each label name, or rows.

    Args:
        whole: the snapshot with all labels.
        budget: rows of each class, or "all".
        seed: draws the rows.
    """

    whole: Snapshot
    budget: int | str
    seed: int

    @property
    def hash(self) -> str:
        """Names the rows."""
        return self.whole.hash if self.budget == ALL else hash_json([self.whole.hash, self.budget, self.seed])

    @property
    def labels(self) -> Sequence[str]:
        """Class names, sorted; also those that were not drawn."""
        return self.whole.labels

    def split(self, name: str) -> Examples:
        """The rows of train, dev or test."""
        rows = self.whole.split(name)
        if self.budget == ALL or name == "test":
            return rows
        return rows.select(draw(rows.labels, int(self.budget), names=len(self.labels), seed=self.seed))


def draw(labels: Sequence[Label], budget: int, *, names: int, seed: int) -> list[int]:
    """Rows, ascending: `budget` of each class, or `budget` x `names` where a label is no single class.

    Args:
        names: how many label names there are.
        seed: the same seed draws the same rows, and more of them for a larger budget.
    """
    if names and labels and isinstance(labels[0], str):
        every = np.array(list(map(str, labels)))
        classes = [np.flatnonzero(every == each) for each in np.unique(every)]
    else:
        classes, budget = [np.arange(len(labels))], budget * max(1, names)
    picked = [np.random.default_rng([seed, number]).permutation(rows)[:budget] for number, rows in enumerate(classes)]
    return sorted(int(row) for rows in picked for row in rows)
