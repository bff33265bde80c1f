"""Every figure of a resample is the figure of the rows that were drawn, as scikit-learn has it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score

from tuneloop.evaluation.counts import Counts
from tuneloop.evaluation.metrics import headline_family, measure, ranking_resamples
from tuneloop.evaluation.ranking import Ranking

KINDS = ("classification", "multilabel", "regression")


def drawn(labels, scores, weights):
    rows = np.repeat(np.arange(len(labels)), weights)
    return [labels[row] for row in rows], scores[rows]


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(KINDS), rows=st.integers(2, 25), seed=st.integers(0, 10**6), ties=st.booleans())
def test_headline_figures_of_a_resample_are_the_tasks_own_figures_of_its_rows(made_up, kind, rows, seed, ties):
    task, labels, scores = made_up(kind, rows, seed=seed)
    if ties:
        scores = scores.round(1)
        labels = [round(label) for label in labels] if kind == "regression" else labels
    weights = np.random.default_rng(seed).multinomial(rows, [1 / rows] * rows)
    found = headline_family(task, labels, scores).resample(weights[None, :].astype(float))
    expected = task.metrics(*drawn(labels, scores, weights))
    assert {name: values[0] for name, values in found.items()} == pytest.approx(expected, abs=1e-5)


@example(kind="multilabel", classes=2, rows=6, seed=454, ties=False)  # a class that the resample gives every row
@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS[:2]), classes=st.integers(2, 4), rows=st.integers(6, 25), seed=st.integers(0, 10**6),
    ties=st.booleans(),
)  # fmt: skip
def test_ranking_figures_of_a_resample_are_those_of_scikit_learn(made_up, kind, classes, rows, seed, ties):
    task, labels, scores = made_up(kind, rows, seed=seed, classes=list("abcd")[:classes])
    scores = scores.round(1) if ties else scores
    weights = np.random.default_rng(seed).multinomial(rows, [1 / rows] * rows)
    found = Ranking(task, labels, scores).resample(weights[None, :].astype(float))
    expected = Ranking(task, *drawn(labels, scores, weights)).values()
    known = {name: values[0] for name, values in found.items() if np.isfinite(values[0])}
    assert known == pytest.approx(expected, abs=1e-6)


def test_a_class_has_the_figures_that_scikit_learn_gives_it(made_up):
    task, labels, scores = made_up("classification", 200, seed=0)
    counts = Counts(task, labels, scores)
    answers = task.decide(scores)
    table = counts.table()
    assert [row["precision"] for row in table] == pytest.approx(precision_score(labels, answers, average=None))
    resampled = counts.per_class(np.ones((1, 200)))
    assert resampled["f1"][0] == pytest.approx(f1_score(labels, answers, average=None))
    matrix = np.array(counts.confusion()["matrix"])
    assert matrix.sum() == 200 and [row["support"] for row in table] == matrix.sum(axis=1).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_every_metric_lies_in_its_interval(made_up, kind):
    task, labels, scores = made_up(kind, 300, seed=1)
    figures = measure(task, labels, scores, resamples=300, seed=0)
    assert task.primary_metric in figures
    for name, figure in figures.items():
        assert figure.low <= figure.value <= figure.high, name
        assert figure.high - figure.low < 1


def test_a_better_model_has_better_figures_of_every_kind(made_up):
    for kind in KINDS:
        good, bad = (measure(*made_up(kind, 400, seed=3, skill=skill), resamples=100, seed=0) for skill in (4.0, 0.5))
        for name in good.keys() - {"ece", "mae", "rmse", "brier"}:
            assert good[name].value > bad[name].value, name
        for name in good.keys() & {"mae", "rmse", "brier"}:
            assert good[name].value < bad[name].value, name


def test_no_order_can_be_measured_where_only_one_class_occurs(made_up):
    task, _, scores = made_up("classification", 20, seed=0)
    assert "roc_auc" not in measure(task, ["a"] * 20, scores, resamples=100, seed=0)


def test_roc_auc_costs_no_more_with_many_classes():
    assert ranking_resamples(4000, classes=3, resamples=1000) == 1000
    assert ranking_resamples(4000, classes=80, resamples=1000) == 200
