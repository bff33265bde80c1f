"""Probabilities that keep their word have no calibration error, others have theirs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from tuneloop.evaluation.calibration import BINS, Calibration


def ece_by_hand(confidence, right):
    """Guo et al. (2017), equation 3, bin by bin."""
    total = 0.0
    for number in range(BINS):
        inside = (confidence > number / BINS) & (confidence <= (number + 1) / BINS)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(2, 80), seed=st.integers(0, 10**6), skill=st.floats(0.1, 20))
def test_ece_and_brier_are_those_of_their_sources(made_up, rows, seed, skill):
    task, labels, scores = made_up("classification", rows, seed=seed, skill=skill)
    found = Calibration(task, labels, scores).values()
    right = np.array(task.decide(scores)) == np.array(labels)
    assert found["ece"] == pytest.approx(ece_by_hand(scores.max(axis=1).astype(float), right), abs=1e-6)
    assert 0 <= found["ece"] <= 1
    expected = brier_score_loss(labels, scores / scores.sum(axis=1, keepdims=True), labels=["a", "b", "c"])
    assert found["brier"] == pytest.approx(expected, abs=1e-5)


def test_two_classes_have_the_binary_brier_score(made_up):
    task, labels, scores = made_up("classification", 50, seed=0, classes=["no", "yes"])
    expected = brier_score_loss([label == "yes" for label in labels], scores[:, 1])
    assert Calibration(task, labels, scores).values()["brier"] == pytest.approx(expected, abs=1e-6)


def test_probabilities_that_come_true_as_often_as_they_say_have_almost_no_error(made_up):
    task, _, scores = made_up("classification", 20_000, seed=0)
    draw = np.random.default_rng(1).random((20_000, 1))
    honest = [task.labels[number] for number in (draw > np.cumsum(scores, axis=1)).sum(axis=1).clip(max=2)]
    assert Calibration(task, honest, scores).values()["ece"] < 0.02


def test_a_model_that_is_always_sure_is_off_by_its_error_rate(made_up):
    task, labels, scores = made_up("classification", 500, seed=0)
    sure = np.eye(3, dtype=np.float32)[scores.argmax(axis=1)]
    wrong = np.mean(np.array(task.decide(scores)) != np.array(labels))
    found = Calibration(task, labels, sure)
    assert found.values()["ece"] == pytest.approx(wrong)
    assert [one["count"] for one in found.reliability()] == [500]


def test_every_decision_of_a_multilabel_task_counts(made_up):
    task, labels, scores = made_up("multilabel", 300, seed=0)
    found = Calibration(task, labels, scores)
    assert sum(one["count"] for one in found.reliability()) == 900
    assert found.values()["brier"] == pytest.approx(((scores - task.targets(labels)) ** 2).mean(), abs=1e-6)
    for one in found.reliability():
        assert one["low"] <= one["came_true"] <= one["high"]
