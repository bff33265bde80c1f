"""Whether an explanation is true of the model: what happens to the answer when the words it names go, or stay alone.

Comprehensiveness and sufficiency are those of DeYoung et al., "ERASER: a benchmark to evaluate rationalized NLP models"
(2020); deletion and insertion curves those of Petsiuk, Das and Saenko, "RISE" (2018). Words are removed as `Game`
removes them, so methods that ask the model in the same way have the home ground; the random explainer shares it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tuneloop.explain.game import Game

if TYPE_CHECKING:
    FloatArray = np.ndarray[Any, np.dtype[np.float64]]

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
"""Shares of the units that go, or stay alone, as in ERASER; at least one unit."""

MEASURES: dict[str, Literal["lower", "higher"]] = {
    "comprehensiveness": "higher",
    "sufficiency": "lower",
    "deletion": "lower",
    "insertion": "higher",
}
"""What is measured, and which way is better."""


def faithfulness(game: Game, attributions: Sequence[Sequence[float]]) -> list[dict[str, float]]:
    """The measures of several explanations of one text, in order; all are asked for in one call.

    Args:
        game: the text's units.
        attributions: one number for each unit, several times.

    Returns:
        `comprehensiveness`: what the answer loses without the weightiest units; `sufficiency`: what it lacks with them
        alone; `deletion` and `insertion`: the mean answer as units go or come, the weightiest first.
    """
    orders = [np.argsort(-np.asarray(values), kind="stable") for values in attributions]
    sets = np.concatenate([_steps(order) for order in orders])
    curves = game.values(sets).reshape(len(orders), 2, game.size + 1)
    return [_measures(insertion, deletion) for insertion, deletion in curves]


def _steps(order: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Sets with the first 0, 1, ... n units of an order, then those without them, (2 * (n + 1), n)."""
    places = np.argsort(order)
    coming = places[None, :] < np.arange(len(order) + 1)[:, None]
    return np.concatenate([coming, ~coming])


def _measures(insertion: FloatArray, deletion: FloatArray) -> dict[str, float]:
    size, whole = len(insertion) - 1, insertion[-1]
    counts = np.ceil(np.array(SHARES) * size).astype(int)
    return {
        "comprehensiveness": float((whole - deletion[counts]).mean()),
        "sufficiency": float((whole - insertion[counts]).mean()),
        "deletion": _area(deletion),
        "insertion": _area(insertion),
    }


def _area(curve: FloatArray) -> float:
    """The area under a curve over 0 to 1, by trapezoids."""
    return float((curve[1:] + curve[:-1]).mean() / 2)
