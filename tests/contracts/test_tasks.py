"""What every task promises: shapes that agree, state that survives, labels that are checked."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import DataError
from tuneloop.tasks import TASKS, create_task
from tuneloop.tasks.base import Task

WHOLE = [name for name in TASKS.names() if TASKS.get(name).layout == "whole"]
"""Tasks with one answer for each text; the others are held to test_parted_tasks.py."""

BAD_CELLS = {
    "classification": ["", " ", None],
    "pair": [""],
    "multilabel": [None, "[1,"],
    "regression": ["x", "nan"],
    "pair_regression": ["x", "inf"],
}
UNKNOWN = {"classification": "maybe", "pair": "maybe", "multilabel": ("maybe",)}


def learnt(name: str, data: Any) -> Task:
    task = create_task(TaskConfig(type=name), {"labels": data.labels})
    task.learn(data.split("train").labels)
    return task


@pytest.mark.parametrize("name", WHOLE)
def test_targets_loss_scores_and_answers_agree_in_shape(made_up: Any, name: str) -> None:
    task, labels = learnt(name, made_up(name)), made_up(name).split("dev").labels
    targets, logits = task.targets(labels), torch.randn(len(labels), task.outputs, requires_grad=True)
    loss = task.loss(logits, torch.from_numpy(targets))
    assert len(targets) == len(labels)
    assert loss.shape == (len(labels),)
    loss.sum().backward()
    assert logits.grad.abs().sum() > 0
    scores = task.scores(task.unscale(logits.detach().numpy()))
    assert scores.shape == (len(labels), task.outputs)
    assert scores.dtype == np.float32
    assert [answer.label for answer in task.predictions(scores)] == task.decide(scores)
    figures = task.metrics(labels, scores)
    assert all(isinstance(value, float) for value in figures.values())
    assert task.primary_metric in figures


@pytest.mark.parametrize("name", WHOLE)
def test_the_divergence_is_that_of_scipy(made_up: Any, name: str) -> None:
    from scipy.stats import entropy

    task, random = learnt(name, made_up(name)), np.random.default_rng(0)
    one, other = (random.normal(size=(7, task.outputs)) * 3 for _ in range(2))
    p, q = (task.scores(logits) for logits in (one, other))
    expected = {
        "multilabel": lambda: entropy(np.stack([p, 1 - p]), np.stack([q, 1 - q])).mean(axis=1),
        "regression": lambda: ((p - q) ** 2)[:, 0],  # normal, variance 1/2: (a - b)^2 / (2 x 1/2)
        "pair_regression": lambda: ((p - q) ** 2)[:, 0],
    }.get(name, lambda: entropy(p, q, axis=1))()
    assert task.divergence(torch.from_numpy(one), torch.from_numpy(other)).numpy() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", WHOLE)
def test_perfect_logits_have_a_perfect_score_and_little_loss(made_up: Any, name: str) -> None:
    task, labels = learnt(name, made_up(name)), made_up(name).split("dev").labels
    targets = task.targets(labels)
    logits = {
        "classification": lambda: 20 * np.eye(task.outputs)[targets],
        "pair": lambda: 20 * np.eye(task.outputs)[targets],
        "multilabel": lambda: 40 * targets - 20,
        "regression": lambda: targets[:, None],
        "pair_regression": lambda: targets[:, None],
    }[name]().astype(np.float32)
    assert float(task.loss(torch.from_numpy(logits), torch.from_numpy(targets)).max()) < 1e-3
    scores = task.scores(task.unscale(logits))
    assert all(
        answer == (pytest.approx(label) if name.endswith("regression") else label)
        for answer, label in zip(task.decide(scores), labels, strict=True)
    )
    assert task.metrics(labels, scores)[task.primary_metric] == pytest.approx(1)


@pytest.mark.parametrize("name", WHOLE)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_answers_do_not_change_when_the_state_is_read_back(made_up: Any, name: str, data: st.DataObject) -> None:
    task = learnt(name, made_up(name))
    copy = create_task(TaskConfig(type=name), json.loads(json.dumps(task.state)))
    finite = st.floats(-50, 50, width=32)
    logits = data.draw(arrays(np.float32, (3, task.outputs), elements=finite))
    assert copy.state == task.state
    for each in (task, copy):
        np.testing.assert_array_equal(each.unscale(logits), task.unscale(logits))
        np.testing.assert_array_equal(each.scores(logits), task.scores(logits))
        assert each.decide(each.scores(logits)) == task.decide(task.scores(logits))


@pytest.mark.parametrize("name", WHOLE)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_temperature_changes_no_decision(made_up: Any, name: str, data: st.DataObject) -> None:
    task = learnt(name, made_up(name))
    if not task.has_temperature:
        return
    # whole numbers: no two logits so close that float32 scores are equal
    logits = data.draw(arrays(np.int64, (3, task.outputs), elements=st.integers(-8, 8), unique=True)) + 0.5
    temperature = data.draw(st.floats(0.2, 10))
    cooler = (logits / temperature).astype(np.float32)
    assert task.decide(task.scores(cooler)) == task.decide(task.scores(logits.astype(np.float32)))


@pytest.mark.parametrize(("name", "cell"), [(name, cell) for name, cells in BAD_CELLS.items() for cell in cells])
def test_a_bad_cell_is_refused_with_a_reason(name: str, cell: object) -> None:
    with pytest.raises(ValueError, match=r"\w+"):
        TASKS.get(name).parse_label(cell)


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_label_that_was_never_learnt_is_named(made_up: Any, name: str) -> None:
    with pytest.raises(DataError, match="'maybe'"):
        learnt(name, made_up(name)).targets([UNKNOWN[name]])


def test_every_task_is_held_to_this() -> None:
    assert set(WHOLE) == set(BAD_CELLS)
