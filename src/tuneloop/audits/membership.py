"""Whether rows that a model learnt from can be told from rows that it has never seen, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.audits.base import Figure
from tuneloop.data.examples import Examples, Label

if TYPE_CHECKING:
    from tuneloop.tasks.base import Task

    Array = np.ndarray[Any, np.dtype[np.float64]]

FALSE_ALARMS = 0.01
"""Share of unseen rows that the attack may take for training rows, for the second figure."""

FEWEST_PER_CLASS = 10
"""Rows of a class from which its own centre and spread are taken."""

RESAMPLES, FOLDS = 1000, 5
CERTAIN = 1e-7
"""Probabilities are kept this far from 0 and 1: float32 knows no more."""


def confidence(task: Task, labels: Sequence[Label], scores: Any) -> Array:
    """How well a model does on each row, (n,): what it learnt from it tends to do better.

    The log-odds of the right class, which are nearly normal (Carlini et al., "Membership inference attacks from first
    principles", 2022, section IV); for several classes their sum, for numbers minus the error, for other answers the
    task's own figure of a row, or whether it is right.
    """
    if not task.has_classes and task.score_columns == 1:
        return -np.abs(np.asarray(scores, np.float64)[:, 0] - np.array(labels, np.float64))
    if task.has_probabilities and task.has_classes and task.score_columns == len(task.labels):
        chances = np.clip(np.asarray(scores, np.float64), CERTAIN, 1 - CERTAIN)
        odds, meant = np.log(chances / (1 - chances)), task.indicator(labels) > 0
        if task.problem_type == "multi_label_classification":
            return np.asarray(np.where(meant, odds, -odds).sum(axis=1))
        return np.asarray(np.where(meant, odds, 0.0).sum(axis=1))
    try:
        return np.asarray(next(iter(task.row_figures(labels, scores).values())), np.float64)
    except NotImplementedError:
        return np.asarray(task.right(labels, scores), np.float64)


def calibrated(found: Array, groups: Sequence[Any], reference: Array, reference_groups: Sequence[Any]) -> Array:
    """Confidences as so many spreads above the centre of unseen rows of the same class, (n,).

    What is hard for a model is hard in train too: without a centre of its own, a hard class would hide its members.
    """
    own = np.array([str(group) for group in reference_groups])
    result = np.empty(len(found))
    names = np.array([str(group) for group in groups])
    for name in set(names.tolist()):
        part = reference[own == name]
        part = part if len(part) >= FEWEST_PER_CLASS else reference
        spread = float(part.std()) if len(part) else 0.0
        rows = names == name
        result[rows] = (found[rows] - (part.mean() if len(part) else 0.0)) / (spread or 1.0)
    return result


def auc(members: Array, others: Array) -> Figure:
    """The chance that a member scores above another row, with the interval of DeLong et al. (1988)."""
    if min(len(members), len(others)) < 2:
        return Figure(None)
    from scipy.stats import rankdata

    both = rankdata(np.concatenate([members, others]))
    above = (both[: len(members)] - rankdata(members)) / len(others)
    below = 1 - (both[len(members) :] - rankdata(others)) / len(members)
    value = float(above.mean())
    reach = 1.96 * float(np.sqrt(above.var(ddof=1) / len(members) + below.var(ddof=1) / len(others)))
    return Figure(value, max(0.0, value - reach), min(1.0, value + reach), len(members) + len(others))


def found_at(members: Array, others: Array, random: np.random.Generator) -> Figure:
    """The share of members that are found while at most 1 % of other rows are taken for such.

    The interval is of the bootstrap over both, as the threshold rests on rows too. With fewer than 100 other rows there
    is no such threshold.
    """
    allowed = int(FALSE_ALARMS * len(others))
    if not allowed or not len(members):
        return Figure(None)

    def share(some: Array, rest: Array) -> Array:
        limit = np.sort(rest, axis=1)[:, -1 - allowed, None]
        return np.asarray((some > limit).mean(axis=1))

    value = float(share(members[None], others[None])[0])
    drawn = share(
        members[random.integers(0, len(members), (RESAMPLES, len(members)))],
        others[random.integers(0, len(others), (RESAMPLES, len(others)))],
    )
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Figure(value, float(low), float(high), len(members))


def blind_auc(train: Examples, test: Examples, *, seed: int) -> Figure:
    """How well training rows are told from test rows by their words alone, without any model, cross-validated.

    If they are, the rows are of another kind, and an attack on the model proves nothing: Das et al., "Blind baselines
    beat membership inference attacks for foundation models" (2024).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    from tuneloop.data.bag_of_words import vectorizer

    inputs = [*train.inputs, *test.inputs]
    member = np.arange(len(inputs)) < len(train)
    if min(len(train), len(test)) < FOLDS:
        return Figure(None)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    try:
        model = make_pipeline(vectorizer(inputs), LogisticRegression(max_iter=1000))
        said = cross_val_predict(model, inputs, member, cv=folds, method="decision_function")
    except ValueError:  # no text has a word
        return Figure(None)
    return auc(said[member], said[~member])
