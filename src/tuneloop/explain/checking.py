"""Explainers checked on rows of a test split: against a random explainer, and against one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.evaluation.intervals import draws, interval
from tuneloop.explain.agreement import rank_correlation, top_overlap
from tuneloop.explain.base import Explainer
from tuneloop.explain.faithfulness import MEASURES, faithfulness
from tuneloop.explain.game import Game

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.tasks.base import ModelHandle

    FloatArray = np.ndarray[Any, np.dtype[np.float64]]

RANDOM = "random"
RANDOM_DRAWS = 3
"""Random orders of each text; their mean is what an explainer has to be better than."""
RESAMPLES = 5000
LEAST_UNITS = 4
"""Units that a text must have to be looked at: orders of fewer tell nothing."""


@dataclass(frozen=True)
class Row:
    """What was found on one text.

    Args:
        measures: of each explainer, and of the random one, each of `MEASURES`.
        values: what each explainer gave the units.
        asked: answers of the model that the measures took.
    """

    measures: dict[str, dict[str, float]]
    values: dict[str, tuple[float, ...]]
    asked: int


@dataclass(frozen=True)
class Versus:
    """An explainer beside the random one on the same rows, by one measure.

    Args:
        value: its mean.
        random: that of the random explainer.
        gain: how much better it is, the mean over rows; negative where it is worse.
        low: lower bound of the gain's 95 % interval.
        high: upper bound.
        p: how often a gain this far from 0 comes about by chance, either way (signs flipped at random).
    """

    value: float
    random: float
    gain: float
    low: float
    high: float
    p: float


def look(
    explainers: Mapping[str, tuple[Explainer, ModelHandle]], model: ModelHandle, item: Input, *, seed: int, row: int
) -> Row | None:
    """One text explained by every explainer, and how faithful each is to `model`; None if the text is too short.

    Args:
        explainers: by name, each with the handle that it looks at.
        seed: of explainers and, with the row, of the random orders, which are others for each row.
        row: the number of the text in its split.
    """
    # each may take units together that it has too few answers for: the coarsest units are within reach of all
    question = min((each.question(model, item) for each, _ in explainers.values()), key=lambda each: len(each.units))
    if len(question.units) < LEAST_UNITS:
        return None
    found = {name: each.attribute(handle, question, seed=seed) for name, (each, handle) in explainers.items()}
    random = np.random.default_rng([seed, row])
    orders = [random.standard_normal(len(question.units)).tolist() for _ in range(RANDOM_DRAWS)]
    game = Game(model, question)
    measured = faithfulness(game, [*(each.values for each in found.values()), *orders])
    measures = dict(zip(found, measured, strict=False))
    chance = measured[len(found) :]
    measures[RANDOM] = {name: float(np.mean([each[name] for each in chance])) for name in MEASURES}
    asked = game.asked + sum(each.asked for each in found.values())
    return Row(measures, {name: each.values for name, each in found.items()}, asked)


def versus_random(rows: Sequence[Row], name: str, measure: str, *, seed: int) -> Versus:
    """An explainer beside the random one, by one of `MEASURES`."""
    values, chance = (np.array([row.measures[each][measure] for row in rows]) for each in (name, RANDOM))
    gains = values - chance if MEASURES[measure] == "higher" else chance - values
    low, high = spread(gains, seed=seed)
    return Versus(
        float(values.mean()), float(chance.mean()), float(gains.mean()), low, high, _flipped(gains, seed=seed)
    )


def agreement(rows: Sequence[Row], names: Sequence[str]) -> dict[tuple[str, str], dict[str, FloatArray]]:
    """Rank correlation and overlap of the weightiest units of every two explainers, one number a row where there is."""
    ways: dict[str, Callable[..., float | None]] = {"correlation": rank_correlation, "overlap": top_overlap}
    found: dict[tuple[str, str], dict[str, FloatArray]] = {}
    for one, other in combinations(names, 2):
        told = {way: [tell(row.values[one], row.values[other]) for row in rows] for way, tell in ways.items()}
        found[one, other] = {
            way: np.array([each for each in all_of if each is not None]) for way, all_of in told.items()
        }
    return found


def spread(values: FloatArray, *, seed: int) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean over rows."""
    means = [weights @ values / len(values) for weights in draws(len(values), resamples=RESAMPLES, seed=seed)]
    low, high = interval(np.concatenate(means))
    return float(low), float(high)


def _flipped(gains: FloatArray, *, seed: int) -> float:
    """Share of random flips of signs with a mean at least as far from 0."""
    signs = np.random.default_rng([seed, 1]).choice([-1.0, 1.0], (RESAMPLES, len(gains)))
    as_far = int((np.abs(signs @ gains) >= abs(gains.sum()) - 1e-12).sum())
    return (1 + as_far) / (1 + RESAMPLES)
