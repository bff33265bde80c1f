"""Shapley values: a fair share of the answer for every unit (Shapley, "A value for n-person games", 1953)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from tuneloop.explain.base import Explainer, Explanation, Question
from tuneloop.explain.game import Game, PerturbingOptions
from tuneloop.explain.interactions import exact_interactions, sampled_interactions
from tuneloop.explain.kernel_shap import UNIT_PAIRS, kernel_values
from tuneloop.explain.sets import all_sets, size_weights
from tuneloop.explain.units import coarser

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.tasks.base import ModelHandle

    FloatArray = np.ndarray[Any, np.dtype[np.float64]]

EXACT_UNITS = 10
"""Units up to which all 2^n sets are asked for: 1,024 texts, in one call."""


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
    """Shapley values of words: exact for short texts, else by sampled sets of words with a stated error.

    See `kernel_shap`. The values add up to the difference of the answers either way.
    """

    name = "shapley"
    Options = ShapleyOptions
    options: ShapleyOptions

    def question(self, model: ModelHandle, item: Input, label: str | None = None) -> Question:
        """As any explainer's, but neighbours are one unit where `answers` would not bear a stated error for each."""
        question = super().question(model, item, label)
        units, together = coarser(question.item, question.units, most_units(self._answers))
        return replace(question, units=units, together=question.together * together)

    @property
    def _answers(self) -> int:
        """Answers for the values; half of all where interactions take the others."""
        return self.options.answers // 2 if self.options.interactions else self.options.answers

    def attribute(self, model: ModelHandle, question: Question, *, seed: int) -> Explanation:
        game, random = Game(model, question, self.options.absent), np.random.default_rng(seed)
        base, output = game.ends()
        exact = game.size <= exact_units(self._answers)
        if exact:
            values, errors = exact_values(game), np.zeros(0)
        else:
            values, errors = kernel_values(game, random, answers=self._answers, max_error=self.options.max_error)
        details: dict[str, Any] = {"together": question.together} if question.together > 1 else {}
        if self.options.interactions:
            details["interactions"] = self._interactions(game, values, random, exact=exact)
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
        return sampled_interactions(game, among, random, answers=self.options.answers - game.asked)


def exact_units(answers: int) -> int:
    """Units of which all sets can be asked for."""
    return min(EXACT_UNITS, answers.bit_length() - 1)


def most_units(answers: int) -> int:
    """Units at most whose values are exact, or have a standard error that can be believed."""
    return max(exact_units(answers), 1 + (answers - 2) // (2 * UNIT_PAIRS))


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
