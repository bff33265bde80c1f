"""Each task: cells to labels, labels to targets, logits to answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.evaluation.metrics import headline_family
from tuneloop.tasks import TASKS, create_task, task_class


def test_an_unknown_task_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean classification"):
        task_class(TaskConfig(type="clasification"))


def test_softmax_answers_are_probabilities_and_survive_large_logits() -> None:
    task = create_task(TaskConfig(type="classification"), {"labels": ["a", "b", "c"]})
    scores = task.scores(np.array([[1000.0, 0, -1000], [0, 0, 1]], dtype=np.float32))
    assert scores.sum(axis=1) == pytest.approx([1, 1])
    assert task.decide(scores) == ["a", "c"]


def test_an_unknown_label_is_a_data_error() -> None:
    task = create_task(TaskConfig(type="classification"), {"labels": ["a", "b"]})
    with pytest.raises(DataError, match="'z'"):
        task.targets(["a", "z"])


def test_balanced_weights_make_a_rare_class_count_more() -> None:
    config = TaskConfig(type="classification", class_weights="balanced")
    task = create_task(config, {"labels": ["common", "rare"]})
    task.learn(["common"] * 9 + ["rare"])
    loss = task.loss(torch.zeros(2, 2), torch.tensor([0, 1]))
    assert float(loss[1] / loss[0]) == pytest.approx(9)


@pytest.mark.parametrize(
    ("cell", "classes"),
    [("price; delivery", ("delivery", "price")), ('["b", "a"]', ("a", "b")), ("", ()), (["x"], ("x",))],
)
def test_a_cell_holds_several_classes(cell: object, classes: tuple[str, ...]) -> None:
    assert TASKS.get("multilabel").parse_label(cell) == classes


@pytest.mark.parametrize(
    ("task", "cell"),
    [
        ("classification", ""),
        ("classification", "NaN"),
        ("regression", "inf"),
        ("regression", "x"),
        ("multilabel", None),
        ("multilabel", "[1,"),
    ],
)
def test_an_impossible_cell_is_refused_with_a_reason(task: str, cell: object) -> None:
    with pytest.raises(ValueError, match=r"\w+"):
        TASKS.get(task).parse_label(cell)


def test_multilabel_scores_are_sigmoids() -> None:
    task = create_task(TaskConfig(type="multilabel"), {"labels": ["a", "b"]})
    logits = np.array([[0.0, 2], [-1000, 1000]], dtype=np.float32)
    assert task.scores(logits) == pytest.approx(torch.sigmoid(torch.tensor(logits)).numpy())


def test_a_folded_regression_answers_in_the_units_of_the_labels() -> None:
    task = create_task(TaskConfig(type="regression"), {})
    task.learn([10.0, 20.0, 30.0])
    head = torch.nn.Linear(4, 1)
    features = torch.randn(5, 4)
    before = task.unscale(head(features).detach().numpy())
    task.fold(head)
    assert head(features).detach().numpy() == pytest.approx(before, abs=1e-4)
    assert task.unscale(np.array(task.targets([25.0]))[:, None])[0, 0] == pytest.approx(25)


@pytest.mark.parametrize("kind", ["classification", "multilabel"])
def test_a_folded_temperature_divides_the_logits(kind: str) -> None:
    task = create_task(TaskConfig(type=kind), {"labels": ["a", "b"]})
    head, features = torch.nn.Linear(4, 2), torch.randn(5, 4)
    before = head(features).detach() / 2.5
    task.fold_temperature(head, 2.5)
    torch.testing.assert_close(head(features).detach(), before)


@pytest.mark.parametrize(
    ("choices", "label", "right"),
    [(["2", "3", "1"], 1, "3"), (["2", "3", "1"], "1", "1"), (["x", "y"], "B", "y"), ('["x", "y"]', "y", "y")],
)
def test_a_number_names_a_choice_by_its_place_and_a_text_by_its_words(
    choices: object, label: object, right: str
) -> None:
    assert TASKS.get("multiple_choice").parse_row("2 + 1?", choices, label)[2] == right


def test_equal_numbers_do_not_vary_however_they_are_rounded() -> None:
    task = create_task(TaskConfig(type="regression"), {"labels": []})
    labels, scores = [0.1] * 3, np.array([[0.2], [0.3], [0.1]], dtype=np.float32)
    assert np.array(labels).std() > 0  # rounding
    task.learn(labels)
    assert task.std == 1.0
    assert (task.metrics(labels, scores)["r2"], task.metrics(labels, scores)["pearson"]) == (0.0, 0.0)
    family = headline_family(task, labels, scores)
    assert (family.values()["r2"], family.values()["pearson"]) == (0.0, 0.0)
