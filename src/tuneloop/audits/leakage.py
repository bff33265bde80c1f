"""Rows that stand in two splits: what a model has seen, it need not understand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tuneloop.data.duplicates import twins
from tuneloop.data.examples import Examples

PAIRS = (("train", "test"), ("dev", "test"), ("train", "dev"))
"""Splits that must not share rows: what is learnt or chosen from, and what is measured on."""


@dataclass(frozen=True)
class Leak:
    """A row that another split has too.

    Args:
        row: its number in the split that is measured on.
        partner: the number of the row that says the same.
        exact: whether the two are equal but for case and spaces.
    """

    row: int
    partner: int
    exact: bool


def leaks(
    splits: Mapping[str, Examples], threshold: float, *, prompts: bool = False
) -> dict[tuple[str, str], list[Leak]]:
    """The rows that each pair of splits shares, each row of the second one once, an exact twin before a near one.

    Args:
        splits: train, dev and test.
        threshold: Jaccard similarity of five-character runs from which two texts are near-duplicates.
        prompts: see `data.duplicates.comparables`.
    """
    found: dict[tuple[str, str], dict[int, Leak]] = {pair: {} for pair in PAIRS}
    for one, other, exact in twins(splits, threshold, prompts=prompts):
        for pair in PAIRS:
            sides = {one[0]: one[1], other[0]: other[1]}
            if set(sides) == set(pair):
                leak = Leak(sides[pair[1]], sides[pair[0]], exact)
                known = found[pair].get(leak.row)
                if known is None or (exact and not known.exact):
                    found[pair][leak.row] = leak
    return {pair: sorted(rows.values(), key=lambda leak: (not leak.exact, leak.row)) for pair, rows in found.items()}
