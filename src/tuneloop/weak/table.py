"""Coverage, overlap, conflict and accuracy of functions, and which of them say nearly the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np

from tuneloop.audits.base import share
from tuneloop.weak.base import SILENT, IntArray, LabellingFunction, Votes

CONTAINED = 0.95
"""Share of a function's votes that another gives too, from which the first adds nothing."""


def rows(
    functions: Sequence[LabellingFunction], votes: Votes, dev: Votes | None = None, truth: IntArray | None = None
) -> list[dict[str, Any]]:
    """For each function shares of the texts: `coverage` (it speaks), `overlap` (another does too), `conflict` (another
    says something else), and the `labels` that it gave with their counts.

    Args:
        votes: of the texts.
        dev: of rows with labels; then `accuracy` is the share that is right of the `dev_votes`, with Wilson's interval.
        truth: the right classes of dev, (rows,).
    """
    spoken, found = votes.spoken, []
    for number, function in enumerate(functions):
        own = spoken[:, number]
        others = np.delete(votes.matrix, number, axis=1)
        other = (others != SILENT) & own[:, None]
        conflict = other & (others != votes.matrix[:, [number]])
        counts = np.bincount(votes.matrix[own, number], minlength=len(votes.labels))
        row: dict[str, Any] = {
            "name": function.name,
            "kind": function.kind,
            "coverage": float(own.mean()),
            "overlap": float(other.any(axis=1).mean()),
            "conflict": float(conflict.any(axis=1).mean()),
            "labels": {label: int(n) for label, n in zip(votes.labels, counts, strict=True) if n},
        }
        if dev is not None and truth is not None:
            said = dev.spoken[:, number]
            right = int((dev.matrix[said, number] == truth[said]).sum())
            row |= {"dev_votes": int(said.sum()), "accuracy": wilson(right, int(said.sum()))}
        found.append(row)
    return found


def near_duplicates(votes: Votes, *, threshold: float) -> list[dict[str, Any]]:
    """Pairs of functions that say nearly the same, and functions that are nearly contained in another.

    `same` is the share of equal votes among the texts of which either speaks; `contained` of those of which the
    `first` speaks. A pair is named if same reaches `threshold`, or contained `CONTAINED`. Functions that copy each
    other count double in every label model that takes them to be independent.
    """
    found = []
    for one, other in combinations(range(len(votes.names)), 2):
        a, b = votes.matrix[:, one], votes.matrix[:, other]
        equal = int(((a == b) & (a != SILENT)).sum())
        either, mine, theirs = (int(n.sum()) for n in ((a != SILENT) | (b != SILENT), a != SILENT, b != SILENT))
        if not equal:
            continue
        small, large, size = (one, other, mine) if mine <= theirs else (other, one, theirs)
        same, contained = equal / either, equal / size
        if same >= threshold or contained >= CONTAINED:
            found.append({
                "first": votes.names[small], "second": votes.names[large], "same": same, "contained": contained,
                "kind": "near_duplicate" if same >= threshold else "contained",
            })  # fmt: skip
    return sorted(found, key=lambda pair: (-pair["same"], pair["first"], pair["second"]))


def wilson(right: int, count: int) -> dict[str, Any]:
    """A share with Wilson's 95 % interval: `value`, `low`, `high` and `n`; None where there is no case."""
    return asdict(share(right, count))
