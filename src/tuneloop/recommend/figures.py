"""Recall and nDCG over users: every item that was not seen is ranked, none are sampled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tuneloop.evaluation.intervals import Figure, bootstrap, figure
from tuneloop.evaluation.means import Means
from tuneloop.evaluation.paired import Difference, difference_of_means
from tuneloop.recommend.interactions import Case

Array = np.ndarray[Any, np.dtype[Any]]
Recommender = Callable[[Case], Array]
"""The score of every item for one user, (items,), who has `history` and nothing of what is `wanted`."""


def user_figures(cases: Sequence[Case], recommender: Recommender, *, cut: int = 10, seed: int = 0) -> dict[str, Array]:
    """Recall and nDCG of the first `cut` recommendations for each user, (cases,) each.

    All items but the seen ones are ranked: figures on sampled items can put the wrong method first (Krichene and
    Rendle 2020). Recall divides by all that is wanted, also where that is more than `cut`. Equal scores are ordered by
    a seeded shuffle, as the order of ids may tell the popular items apart.
    """
    found: dict[str, list[float]] = {f"recall_at_{cut}": [], f"ndcg_at_{cut}": []}
    gains = 1 / np.log2(np.arange(2, cut + 2))
    random = np.random.default_rng(seed)
    for case in cases:
        scores = np.array(recommender(case), np.float64)
        scores[case.seen] = -np.inf
        shuffled = random.permutation(len(scores))
        order = shuffled[np.argsort(-scores[shuffled], kind="stable")[:cut]]
        hits = np.isin(order, case.wanted)
        found[f"recall_at_{cut}"].append(float(hits.sum() / len(case.wanted)))
        found[f"ndcg_at_{cut}"].append(float((gains[: len(hits)] @ hits) / gains[: len(case.wanted)].sum()))
    return {name: np.array(values) for name, values in found.items()}


def measure(figures: Mapping[str, Array], *, resamples: int = 2000, seed: int = 0) -> dict[str, Figure]:
    """The mean of each figure with the 95 % interval of a bootstrap over users."""
    family = Means(figures)
    rows = len(next(iter(figures.values())))
    samples = bootstrap(family.resample, rows=rows, resamples=resamples, seed=seed)
    return {name: figure(name, value, samples[name]) for name, value in family.values().items()}


def beside(
    figures: Mapping[str, Array], others: Mapping[str, Array], *, resamples: int = 2000, seed: int = 0
) -> dict[str, Difference]:
    """How two recommenders differ in each figure on the same users: paired bootstrap and approximate randomisation."""
    return {
        name: difference_of_means(values, others[name], metric=name, resamples=resamples, seed=seed)
        for name, values in figures.items()
    }
