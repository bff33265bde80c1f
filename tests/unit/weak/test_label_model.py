"""Functions that are often right weigh more, and what was not said says something too."""

from __future__ import annotations

import numpy as np

from tuneloop.weak.base import SILENT, Votes
from tuneloop.weak.label_model import fit


def voted(rows: int, truth: np.ndarray, rates: list[tuple[float, float]], *, seed: int, classes: int = 2) -> Votes:
    """Votes of functions that speak and are right as often as `rates` say, each of its own chance."""
    random = np.random.default_rng(seed)
    columns = []
    for speaks, right in rates:
        wrong = (truth + random.integers(1, classes, rows)) % classes
        said = np.where(random.random(rows) < right, truth, wrong)
        columns.append(np.where(random.random(rows) < speaks, said, SILENT))
    labels = tuple("abcdefg"[:classes])
    return Votes(tuple(f"f{n}" for n in range(len(rates))), labels, np.stack(columns, axis=1))


def test_one_good_function_outvotes_three_poor_ones() -> None:
    truth = np.random.default_rng(0).integers(0, 2, 3000)
    votes = voted(3000, truth, [(1.0, 0.95), *[(1.0, 0.65)] * 3], seed=1)
    right = {}
    for model in ("dawid_skene", "majority"):
        found = fit(votes, model=model, priors=np.array([0.5, 0.5])).probabilities(votes)
        right[model] = (found.argmax(axis=1) == truth).mean()
    assert right["dawid_skene"] > 0.9 > 0.85 > right["majority"]


def test_probabilities_come_true_as_often_as_they_say() -> None:
    truth = np.random.default_rng(3).integers(0, 3, 6000)
    votes = voted(6000, truth, [(0.7, 0.8), (0.5, 0.7), (0.8, 0.6), (0.6, 0.75)], seed=4, classes=3)
    model = fit(votes, priors=np.full(3, 1 / 3))
    spoken = votes.spoken.any(axis=1)
    found = model.probabilities(votes)
    sure = found[spoken].max(axis=1)
    right = found[spoken].argmax(axis=1) == truth[spoken]
    assert abs(sure.mean() - right.mean()) < 0.03
    assert np.allclose(found[~spoken], model.priors) and (~spoken).any()


def test_functions_that_give_one_class_alone_still_tell_the_classes_apart() -> None:
    random = np.random.default_rng(5)
    truth = random.integers(0, 2, 2000)
    columns = []
    for label in (0, 0, 1, 1):
        says = np.where(truth == label, random.random(2000) < 0.6, random.random(2000) < 0.1)
        columns.append(np.where(says, label, SILENT))
    votes = Votes(("a", "b", "c", "d"), ("no", "yes"), np.stack(columns, axis=1))
    found = fit(votes, priors=np.array([0.5, 0.5])).probabilities(votes)
    spoken = votes.spoken.any(axis=1)
    assert (found.argmax(axis=1) == truth)[spoken].mean() > 0.9
