"""Answers that are chosen together, because no choice is right twice."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.tasks.spans import as_scores

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples
    from tuneloop.tasks.base import FloatArray

NEVER = 1e-30


def each_once(examples: Examples, scores: FloatArray) -> FloatArray:
    """The scores with probability 1 at the choices that are likeliest together if none is taken twice in a group.

    ChID offers the same idioms for all blanks of a record, and each fills one at most; the official baseline uses that
    too. Groups with more questions than choices are left as they are. Kuhn, "The Hungarian Method" (1955).
    """
    groups: dict[Any, list[int]] = defaultdict(list)
    for row, group in enumerate(examples.columns["group"]):
        groups[group].append(row)
    settled = list(scores)
    for rows in groups.values():
        if len(rows) <= len(scores[rows[0]]):
            for row, chosen in zip(rows, _chosen([scores[row] for row in rows]), strict=True):
                found = enumerate(scores[row])
                settled[row] = tuple((choice, float(number == chosen)) for number, (choice, _) in found)
    return as_scores(settled)


def _chosen(scores: list[Any]) -> list[int]:
    """The number of the choice for each question."""
    from scipy.optimize import linear_sum_assignment

    likely = np.array([[share for _, share in found] for found in scores])
    return [int(number) for number in linear_sum_assignment(-np.log(np.maximum(likely, NEVER)))[1]]
