"""Estimated Shapley values of many units, by least squares over pairs of a set and its complement.

The Shapley values are the weighted least-squares fit of an additive game to all 2^n - 2 proper sets, the ends kept:
KernelSHAP, Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions" (2017). Sets are drawn with their
complements (Covert and Lee, "Improving KernelSHAP", 2021), so many of each size as it weighs and none twice (Musco and
Witter, "Provably Accurate Shapley Value Estimation via Leverage Score Sampling", 2025). Every answer then tells
something of every unit, and what two units do together is told without any error: only what three or more do is
estimated.
"""

from __future__ import annotations

from math import ceil, comb
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    from tuneloop.explain.game import Game

    BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
    FloatArray = np.ndarray[Any, np.dtype[np.float64]]

ROUND_PAIRS = 256
"""Pairs that are asked for at once, at least."""

UNIT_PAIRS = 8
"""Pairs for each unit before a standard error is believed."""


def kernel_values(
    game: Game, random: np.random.Generator, *, answers: int, max_error: float
) -> tuple[FloatArray, FloatArray]:
    """Estimated Shapley values and their standard errors, (units,) each; the values add up to what the units change.

    Many pairs are asked for at once, until every standard error is at most `max_error`, the answers are used up, or
    every set is known and the values are exact.

    Args:
        game: of three units at least.
        answers: at most, those that the game has asked for already among them.

    Raises:
        ConfigError: if the answers do not suffice for `UNIT_PAIRS` pairs for each unit: they would tell no error.
    """
    none, every = game.ends()
    pairs = _Pairs(game.size, random)
    fewest = min(UNIT_PAIRS * (game.size - 1), pairs.left)
    if (answers - game.asked) // 2 < fewest:
        raise ConfigError(
            t("{answers} answers are too few for the Shapley values of {units} units.", answers=answers,
              units=game.size),
            t("Allow {least}.", least=game.asked + 2 * fewest),
        )  # fmt: skip
    contrasts = np.zeros(0)
    while (room := min((answers - game.asked) // 2, pairs.left)) > 0:
        new = pairs.draw(min(room, max(ROUND_PAIRS, fewest)))
        values = game.values(np.concatenate([new, ~new])).reshape(2, -1)
        contrasts = np.concatenate([contrasts, values[0] - values[1]])
        found, errors = _fitted(pairs, contrasts, every - none)
        if errors.max() <= max_error:
            break
    return found, errors


class _Pairs:
    """Pairs of a set and its complement, each drawn once, of each size as many as it weighs while there are any."""

    def __init__(self, size: int, random: np.random.Generator) -> None:
        self._size, self._random = size, random
        self.sizes = np.arange(1, size // 2 + 1)
        # a pair of halves is the same pair from either side
        self.there = [comb(size, each) // (2 if 2 * each == size else 1) for each in self.sizes.tolist()]
        self.kernel = 1 / (self.sizes * (size - self.sizes))  # what all sets of a size weigh together
        self.kernel[-1] /= 2 if 2 * self.sizes[-1] == size else 1
        self.drawn = [0] * len(self.there)
        self._seen: set[bytes] = set()
        self.sets = np.zeros((0, size), dtype=bool)

    @property
    def left(self) -> int:
        """Pairs that have not been drawn."""
        return sum(self.there) - sum(self.drawn)

    def draw(self, count: int) -> BoolArray:
        """The smaller sets of so many new pairs, (count, units)."""
        new = np.concatenate([self._of_size(place, wanted) for place, wanted in enumerate(self._shares(count))])
        self.sets = np.concatenate([self.sets, new])
        return new

    def _shares(self, count: int) -> list[int]:
        """How many new pairs of each size: those that are soon used up first, what they lack goes to the others."""
        shares = [0] * len(self.there)
        turn = self._random.permutation(len(shares))  # what is left over goes to sizes of chance
        total, kernel = sum(self.drawn) + count, float(self.kernel.sum())
        for place in sorted(turn.tolist(), key=lambda place: self.there[place] / self.kernel[place]):
            wanted = ceil(max(total, 0) * self.kernel[place] / kernel - 1e-9)
            shares[place] = max(0, min(wanted, self.there[place]) - self.drawn[place])
            total -= self.drawn[place] + shares[place]
            kernel -= self.kernel[place]
        return shares

    def _of_size(self, place: int, count: int) -> BoolArray:
        size, found = int(self.sizes[place]), np.zeros((0, self._size), dtype=bool)
        while len(found) < count:
            sets = np.argsort(np.argsort(self._random.random((count, self._size)), axis=1), axis=1) < size
            if 2 * size == self._size:
                sets ^= ~sets[:, :1]
            fresh: list[int] = []
            for row, key in enumerate(np.packbits(sets, axis=1)):
                if len(found) + len(fresh) < count and key.tobytes() not in self._seen:
                    self._seen.add(key.tobytes())
                    fresh.append(row)
            found = np.concatenate([found, sets[fresh]])
        self.drawn[place] += count
        return found


def _fitted(pairs: _Pairs, contrasts: FloatArray, change: float) -> tuple[FloatArray, FloatArray]:
    """The least-squares fit of an additive game, and its standard errors.

    Of a pair only the difference of its two values tells of an additive game: what set and complement have in common
    is the same for all games with these ends. Errors are those of White (1980) in the form HC3 of MacKinnon and White
    (1985), less what is known for certain where most sets of a size were drawn.

    Args:
        contrasts: the value of each set less that of its complement, (pairs,).
        change: what all units together change.
    """
    from scipy.special import ndtri, stdtrit

    size = pairs.sets.shape[1]
    there, drawn = np.array(pairs.there, dtype=np.float64), np.array(pairs.drawn, dtype=np.float64)
    places = pairs.sets.sum(axis=1) - 1
    weights = (pairs.kernel / np.maximum(drawn, 1))[places]
    signs = 2.0 * pairs.sets - 1
    mean = signs.mean(axis=1)
    centred = signs - mean[:, None]
    inverse = np.linalg.inv((centred * weights[:, None]).T @ centred + np.ones((size, size)))
    beyond = contrasts - mean * change
    slopes = inverse @ (centred.T @ (weights * beyond))
    leverage = weights * np.einsum("pi,ij,pj->p", centred, inverse, centred)
    left = (beyond - centred @ slopes) * weights / np.maximum(1 - leverage, 1e-6)
    left *= np.sqrt(1 - drawn / there)[places]
    errors = np.sqrt(((centred @ inverse * left[:, None]) ** 2).sum(axis=0))
    wider = stdtrit(max(len(contrasts) - size + 1, 1), 0.975) / ndtri(0.975)
    return change / size + slopes, np.asarray(wider * errors)
