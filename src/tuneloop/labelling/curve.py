"""What more labels would bring: a learning curve, fitted and carried on, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.evaluation.intervals import interval

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
Verdict = Literal["go", "stop", "unclear"]

FEWEST_SIZES = 4
"""Three numbers are fitted; one more says something of the fit."""
FEWEST_RUNS = 3
EXPONENTS = np.geomspace(0.05, 2.0, 60)
"""Of the power; a smaller one is a line for any number of labels that people can pay for."""


@dataclass(frozen=True)
class Measured:
    """Scores of models that learnt from fewer labels than there are.

    Args:
        labels: how many they learnt from, ascending, (sizes,).
        scores: of each run at each size, 0 to 1, higher is better, (runs, sizes).
        held_out: labels that a run was judged by, as a share of those that its largest model learnt from. Runs that
            share rows agree more than new rows would, and the interval is widened for it; 0 for runs on rows of their
            own.
    """

    labels: FloatArray
    scores: FloatArray
    held_out: float = 0.0


@dataclass(frozen=True)
class Curve:
    """score(n) = 1 - floor - size x n ^ -power: an inverse power law of the error.

    Cortes, Jackel, Solla, Vapnik and Denker, "Learning Curves: Asymptotic Values and Rate of Convergence" (1993).
    """

    floor: float
    size: float
    power: float

    def score(self, labels: float) -> float:
        """What a model that learnt from so many labels scores."""
        return float(1 - self.floor - self.size * labels**-self.power)

    @property
    def limit(self) -> float:
        """What no number of labels goes beyond."""
        return 1 - self.floor


@dataclass(frozen=True)
class Forecast:
    """What more labels would bring.

    Args:
        now: labels that there are.
        more: labels on top.
        score, then: what the curve says at both, with 95 % intervals.
        gain: then - score, and its 95 % interval.
        limit: what the curve says no number of labels goes beyond, and its interval.
        curve: the fitted curve.
        cost: of the labels, in the currency of the price.
        hours: of people who label.
        verdict: see `decide`.
    """

    now: int
    more: int
    score: tuple[float, float, float]
    then: tuple[float, float, float]
    gain: tuple[float, float, float]
    limit: tuple[float, float, float]
    curve: Curve
    cost: float
    hours: float
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; figures are objects with value, low and high."""
        figures = {name: getattr(self, name) for name in ("score", "then", "gain", "limit")}
        return {
            "labels": self.now,
            "more": self.more,
            **{name: dict(zip(("value", "low", "high"), each, strict=True)) for name, each in figures.items()},
            "curve": {"floor": self.curve.floor, "size": self.curve.size, "power": self.curve.power},
            "cost": self.cost,
            "hours": self.hours,
            "verdict": self.verdict,
        }


def forecast(
    measured: Measured,
    *,
    now: int,
    more: int,
    worth: float,
    price: float = 0.0,
    seconds: float = 0.0,
    resamples: int = 500,
    seed: int = 0,
) -> Forecast:
    """Carry the learning curve on from `now` labels to `now + more`.

    The interval is a bootstrap over runs (Figueroa et al., "Predicting sample size required for classification
    performance", 2012, fit the same law with weights), whose spread is widened as Nadeau and Bengio, "Inference for the
    Generalization Error" (2003), correct the variance of runs that share rows.

    Args:
        worth: the least gain that makes the labels worth their cost (0.005 = half a point).
        price: of a label.
        seconds: that a person takes for a label.

    Raises:
        DataError: if there are too few sizes or runs to fit a curve.
    """
    _check(measured)
    curve = Curve(*(float(each) for each in fit(measured.labels, measured.scores.mean(axis=0)[None])[0]))
    runs = len(measured.scores)
    picked = np.random.default_rng(seed).integers(0, runs, (resamples, runs))
    means = measured.scores[picked].mean(axis=1)
    centre = measured.scores.mean(axis=0)
    widened = centre + (means - centre) * np.sqrt(runs / (runs - 1) * (1 + runs * measured.held_out))
    floors, sizes, powers = fit(measured.labels, np.clip(widened, 0, 1)).T

    def at(labels: float) -> FloatArray:
        found: FloatArray = 1 - floors - sizes * labels**-powers
        return found

    gain = _figure(curve.score(now + more) - curve.score(now), at(now + more) - at(now))
    return Forecast(
        now, more, _figure(curve.score(now), at(now)), _figure(curve.score(now + more), at(now + more)), gain,
        _figure(curve.limit, 1 - floors), curve, price * more, seconds * more / 3600,
        decide(gain[1], gain[2], worth=worth),
    )  # fmt: skip


def decide(low: float, high: float, *, worth: float) -> Verdict:
    """go: even the low end of the gain is worth it. stop: even the high end is not. Else it is unclear: label fewer."""
    if low >= worth:
        return "go"
    return "stop" if high < worth else "unclear"


def fit(labels: FloatArray, scores: FloatArray) -> FloatArray:
    """Floor, size and power of the curve nearest to each row of scores, weighted by labels, (rows, 3).

    For each power on a grid, floor and size are the solution of a weighted linear regression of the error on
    n ^ -power, kept to 0 <= floor and 0 <= size; the power with the least squares is taken.

    Args:
        labels: (sizes,).
        scores: (rows, sizes).
    """
    weights = labels / labels.sum()
    errors = 1 - scores
    found, best = np.zeros((len(scores), 3)), np.full(len(scores), np.inf)
    for power in EXPONENTS:
        falling = labels**-power
        floor, size = _line(falling, errors, weights)
        misses = ((errors - floor[:, None] - size[:, None] * falling) ** 2 @ weights).astype(np.float64)
        better = misses < best - 1e-15
        best = np.where(better, misses, best)
        found[better] = np.stack([floor, size, np.full(len(scores), power)], axis=1)[better]
    return found


def _line(falling: FloatArray, errors: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Floor and size, (rows,) each, not below 0."""
    centre = falling @ weights
    means = errors @ weights
    spread = ((falling - centre) ** 2) @ weights
    size = np.maximum(((errors - means[:, None]) * (falling - centre)) @ weights / spread, 0)
    floor = means - size * centre
    through_zero = errors @ (weights * falling) / ((falling**2) @ weights)
    below = floor < 0
    return np.where(below, 0, floor), np.where(below, through_zero, size)


def labels_for(curve: Curve, score: float) -> int | None:
    """How many labels the curve needs for a score; None if it never gets there."""
    left = 1 - curve.floor - score
    if left <= 0 or curve.size <= 0:
        return None if left <= 0 else 1
    needed = (curve.size / left) ** (1 / curve.power)
    return int(np.ceil(needed)) if needed < 1e9 else None


def _figure(value: float, samples: FloatArray) -> tuple[float, float, float]:
    low, high = map(float, interval(samples))
    return value, min(low, value), max(high, value)


def _check(measured: Measured) -> None:
    sizes: Sequence[float] = measured.labels.tolist()
    if len(set(sizes)) < FEWEST_SIZES or len(measured.scores) < FEWEST_RUNS:
        raise DataError(
            t("A learning curve of {sizes} sizes and {runs} runs says nothing of what follows.",
              sizes=len(set(sizes)), runs=len(measured.scores)),
            t("Measure at least {sizes} numbers of labels in {runs} runs.", sizes=FEWEST_SIZES, runs=FEWEST_RUNS),
        )  # fmt: skip
