"""Shapley values: a fair share of the answer for every unit (Shapley, "A value for n-person games", 1953)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from tuneloop.explain.base import Explainer, Explanation, Question
from tuneloop.explain.game import Game, PerturbingOptions
from tuneloop.explain.interactions import exact_interactions, sampled_interactions
from tuneloop.explain.sets import all_sets, size_weights

if TYPE_CHECKING:
    from tuneloop.tasks.base import ModelHandle

    FloatArray = np.ndarray[Any, np.dtype[np.float64]]

EXACT_UNITS = 10
"""Units up to which all 2^n sets are asked for: 1,024 texts, in one call."""
ROUND_ANSWERS = 512
"""About how many answers are asked for at once."""
LEAST_PAIRS = 8
"""Pairs of orders before a standard error is believed."""


class ShapleyOptions(PerturbingOptions):
    """Options of Shapley values."""

    answers: int = Field(
        2000, ge=64, le=1_000_000, description="Answers of the model at most, where units are too many for all sets."
    )
    max_error: float = Field(
        0.01, ge=0, description="Standard error of every value with which no more answers are asked for."
    )
    interactions: int = Field(
        0, ge=0, le=12, description="Between how many of the weightiest units interactions are told; 0: none."
    )


class Shapley(Explainer):
    """Shapley values of words: exact for short texts, else by sampled orders with a stated error.

    Orders are drawn in antithetic pairs, an order and its reverse: what two units do together is then told without
    any error, and only what three or more do is estimated. Mitchell, Cooper, Frank and Holmes, "Sampling permutations
    for Shapley value estimation" (2022). The values add up to the difference of the answers either way.
    """

    name = "shapley"
    Options = ShapleyOptions
    options: ShapleyOptions

    def attribute(self, model: ModelHandle, question: Question, *, seed: int) -> Explanation:
        game, random = Game(model, question, self.options.absent), np.random.default_rng(seed)
        base, output = game.ends()
        exact = game.size <= EXACT_UNITS and 1 << game.size <= self.options.answers
        if exact:
            values, errors = exact_values(game), np.zeros(0)
        else:
            values, errors = sampled_values(
                game, random, answers=self.options.answers, max_error=self.options.max_error
            )
        details = (
            {"interactions": self._interactions(game, values, random, exact=exact)} if self.options.interactions else {}
        )
        return self.explanation(
            question, values, base=base, output=output, errors=tuple(map(float, errors)),
            error=float(errors.max(initial=0.0)), error_kind="exact" if exact else "standard_error",
            asked=game.asked, absent=game.absent, details=details,
        )  # fmt: skip

    def _interactions(
        self, game: Game, values: FloatArray, random: np.random.Generator, *, exact: bool
    ) -> list[dict[str, Any]]:
        among = np.argsort(-np.abs(values))[: self.options.interactions].tolist()
        if len(among) < 2:
            return []
        if exact:
            return exact_interactions(game, among)
        return sampled_interactions(game, among, random, answers=self.options.answers)


def exact_values(game: Game) -> FloatArray:
    """The Shapley values from all 2^n sets, (units,)."""
    sets = all_sets(game.size)
    values, sizes, numbers = game.values(sets), sets.sum(axis=1), np.arange(len(sets))
    weights = size_weights(game.size)
    found = []
    for unit in range(game.size):
        without = numbers[~sets[:, unit]]
        found.append((weights[sizes[without]] * (values[without | 1 << unit] - values[without])).sum())
    return np.array(found)


def sampled_values(
    game: Game, random: np.random.Generator, *, answers: int, max_error: float, most_pairs: int | None = None
) -> tuple[FloatArray, FloatArray]:
    """Estimated Shapley values and their standard errors, (units,) each.

    Many orders are asked for at once, until every standard error is at most `max_error`, `answers` are spent, or there
    are `most_pairs` pairs of orders: by default as many as would cost twice the answers if no set came again.
    """
    pair_answers = 2 * (game.size - 1)
    most_pairs = most_pairs or max(LEAST_PAIRS, 2 * answers // pair_answers)
    at_once = max(LEAST_PAIRS, ROUND_ANSWERS // pair_answers)
    found = np.zeros((0, game.size))
    while len(found) < most_pairs:
        room = min((answers - game.asked) // pair_answers, most_pairs - len(found))
        if len(found) >= 2 and room < 1:
            break
        found = np.concatenate([found, _pairs(game, random, max(2 - len(found), min(at_once, room)))])
        if len(found) >= LEAST_PAIRS and _standard_errors(found).max() <= max_error:
            break
    return found.mean(axis=0), _standard_errors(found)


def _standard_errors(found: FloatArray) -> FloatArray:
    return np.asarray(found.std(axis=0, ddof=1) / np.sqrt(len(found)))


def _pairs(game: Game, random: np.random.Generator, pairs: int) -> FloatArray:
    """What each unit adds when it comes, averaged over an order and its reverse, for several orders: (pairs, units)."""
    orders = np.argsort(random.random((pairs, game.size)), axis=1)
    orders = np.concatenate([orders, orders[:, ::-1]])
    places = np.argsort(orders, axis=1)
    # sets[order, k]: the first k units of the order
    sets = places[:, None, :] < np.arange(game.size + 1)[None, :, None]
    values = game.values(sets.reshape(-1, game.size)).reshape(len(orders), game.size + 1)
    added = np.take_along_axis(np.diff(values, axis=1), places, axis=1)
    return np.asarray(added.reshape(2, pairs, game.size).mean(axis=0))
