"""What two units do together beyond what each does alone: the Shapley interaction index.

Grabisch and Roubens, "An axiomatic approach to the concept of interaction among players in cooperative games" (1999).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.explain.game import Game
from tuneloop.explain.sets import all_sets, size_weights

if TYPE_CHECKING:
    BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
    FloatArray = np.ndarray[Any, np.dtype[np.float64]]

DRAWS = (4, 64)
"""Sets and their complements that are drawn for a pair of units, at least and at most."""
DRAW_ANSWERS = 8
"""A set and its complement, each with neither, one, the other and both."""


def exact_interactions(game: Game, among: Sequence[int]) -> list[dict[str, Any]]:
    """The index of every pair of the given units from all 2^n sets, the strongest first."""
    sets = all_sets(game.size)
    values, sizes, numbers = game.values(sets), sets.sum(axis=1), np.arange(len(sets))
    weights = size_weights(game.size - 1)
    found = []
    for one, other in combinations(sorted(among), 2):
        rest = numbers[~sets[:, one] & ~sets[:, other]]
        first, second = 1 << one, 1 << other
        together = values[rest | first | second] - values[rest | first] - values[rest | second] + values[rest]
        found.append(_told(one, other, float((weights[sizes[rest]] * together).sum()), 0.0))
    return _strongest_first(found)


def sampled_interactions(
    game: Game, among: Sequence[int], random: np.random.Generator, *, answers: int
) -> list[dict[str, Any]]:
    """The estimated index of every pair of the given units with its standard error, the strongest first.

    The last units are left out where the answers do not suffice for the pairs of all.

    Sets are drawn with their complements, so that what three units do together cancels in the error.
    """
    pairs = list(combinations(sorted(among), 2))
    while len(pairs) * DRAWS[0] * DRAW_ANSWERS > answers:
        among = among[:-1]
        pairs = list(combinations(sorted(among), 2))
    if not pairs:
        return []
    draws = int(np.clip(answers // (DRAW_ANSWERS * len(pairs)), *DRAWS))
    sets = np.concatenate([_drawn(game.size, pair, draws, random) for pair in pairs])
    values = game.values(sets).reshape(len(pairs), draws, 2, 4)
    together = (values @ np.array([1.0, -1.0, -1.0, 1.0])).mean(axis=2)
    errors = together.std(axis=1, ddof=1) / np.sqrt(draws)
    rows = zip(pairs, together.mean(axis=1), errors, strict=True)
    return _strongest_first([_told(*pair, float(value), float(error)) for pair, value, error in rows])


def _drawn(size: int, pair: tuple[int, int], draws: int, random: np.random.Generator) -> BoolArray:
    """Sets of the other units of evenly drawn sizes, (draws * 8, size): each and its complement with neither of the
    pair, the first, the second, both."""
    others = np.setdiff1d(np.arange(size), pair)
    sizes = random.integers(0, len(others) + 1, draws)
    ranks = np.argsort(np.argsort(random.random((draws, len(others))), axis=1), axis=1)
    chosen = ranks < sizes[:, None]
    sets = np.zeros((draws, 2, 4, size), dtype=bool)
    sets[:, 0, :, others] = chosen.T[:, :, None]
    sets[:, 1, :, others] = ~chosen.T[:, :, None]
    sets[:, :, :, pair[0]] = [False, True, False, True]
    sets[:, :, :, pair[1]] = [False, False, True, True]
    return sets.reshape(-1, size)


def _told(one: int, other: int, value: float, error: float) -> dict[str, Any]:
    return {"first": one, "second": other, "value": value, "error": error}


def _strongest_first(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found, key=lambda each: -abs(each["value"]))
