"""Training rows with perturbed copies of themselves, so that a model learns what does not change the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuneloop.data.examples import Examples
from tuneloop.data.perturbations.base import UNIT_SHARE, Perturbation, UnitPerturbation, keeping_perturbations

if TYPE_CHECKING:
    from tuneloop.core.preparation import AugmentConfig


SETTING = "data.augment.perturbations"

Copy = tuple[int, str]
"""The number of a row and the text of its copy."""


def augmented(train: Examples, config: AugmentConfig, *, seed: int, more: Sequence[Copy] = ()) -> Examples:
    """The rows, and behind them the copies, each with everything else of its row; as they are where none is asked.

    A pure function of its arguments. A row that no perturbation changes has no copy.

    Args:
        more: further copies.

    Raises:
        ConfigError: if a perturbation does not exist, changes the right answer, or lacks its data.
        MissingExtraError: if a package is missing.
    """
    copies = [*_perturbed_copies(train, config, seed), *more]
    if not copies:
        return train
    both = train.select([*range(len(train)), *(row for row, _ in copies)])
    ids = [*train.ids, *(f"{train.ids[row]}~{number}" for number, (row, _) in enumerate(copies))]
    return Examples(ids, [*train.texts, *(text for _, text in copies)], both.labels, both.pairs, both.columns)


def _perturbed_copies(train: Examples, config: AugmentConfig, seed: int) -> list[Copy]:
    made = keeping_perturbations(config.perturbations, setting=SETTING)
    if not made:
        return []
    random = np.random.default_rng([seed, *b"augment"])
    wanted = round(config.share * len(train))
    rounds = [random.permutation(len(train)) for _ in range(-(-wanted // max(1, len(train))))]
    drawn = np.concatenate([np.zeros(0, int), *rounds])[:wanted].tolist()
    copies = [(row, perturbed(train.texts[row], made, config.together, random, words=config.words)) for row in drawn]
    return [(row, text) for row, text in copies if text != train.texts[row]]


def perturbed(
    text: str, made: list[Perturbation], together: int, random: np.random.Generator, *, words: float = UNIT_SHARE
) -> str:
    """The text after so many perturbations that change it, in an order of chance."""
    left = together
    for number in random.permutation(len(made)):
        if not left:
            break
        each = made[number]
        if each.suits(text):
            single = isinstance(each, UnitPerturbation)
            changed = each.perturb(text, random, share=words) if single else each.perturb(text, random)
            text, left = changed, left - (changed != text)
    return text
