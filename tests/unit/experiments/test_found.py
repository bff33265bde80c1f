"""What quality costs is told from the files of comparisons and searches, also from damaged ones and with odd names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tuneloop.core.errors import TrainingError, TuneloopError
from tuneloop.core.paths import Workspace
from tuneloop.experiments.found import costs_of, experiments, open_experiment, points


def method(label: str, value: float, seconds: float | None, **more: Any) -> dict[str, Any]:
    return {"label": label, "value": value, "low": value - 0.1, "high": value + 0.1, "seconds": seconds, **more}


def trial(number: int, state: str, value: float | None, seconds: float | None) -> dict[str, Any]:
    return {"trial": number, "state": state, "value": value, "seconds": seconds}


FEW = [method("full", 0.7, 30), method("tfidf", 0.6, 1)]
MANY = [method("full", 0.9, 60, latency_ms=4), method("lora", 0.8, 80, latency_ms=None), method("tfidf", 0.9, 2)]
COMPARISON: dict[str, Any] = {
    "name": "x",
    "metric": "accuracy",
    "classes": True,
    "budgets": [
        {"budget": 8, "train_rows": 16, "methods": FEW},
        {"budget": "all", "train_rows": 90, "methods": MANY},
    ],
    "recommendations": {"8": {"take": "full"}, "all": {"take": "tfidf"}},
}
SEARCH: dict[str, Any] = {
    "name": "x",
    "metric": "accuracy",
    "best": {"trial": 2, "value": 0.9, "run": "r"},
    "trials": [
        trial(0, "finished", 0.8, 5),
        trial(1, "given up", 0.95, 1),
        trial(2, "finished", 0.9, 7),
        trial(3, "failed", None, None),
        trial(4, "finished", 0.7, 6),
    ],
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """With one comparison, a newer search, and what is neither."""
    files = {
        "comparisons/x-aaaa/comparison.json": json.dumps(COMPARISON),
        "searches/x-bbbb/search.json": json.dumps(SEARCH),
        "comparisons/damaged/comparison.json": "{",
        "comparisons/Not Ours/comparison.json": json.dumps(COMPARISON),
    }
    for number, (name, text) in enumerate(files.items()):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
        os.utime(path, (number, number))
    return Workspace(tmp_path)


def test_comparisons_and_searches_are_listed_and_opened(workspace: Workspace) -> None:
    assert [(each.kind, each.id) for each in experiments(workspace)] == [("search", "x-bbbb"), ("comparison", "x-aaaa")]
    assert open_experiment("x-aaaa", workspace).found == COMPARISON
    assert open_experiment("x-bbbb", workspace).kind == "search"
    with pytest.raises(TrainingError, match="no finished comparison or search damaged"):
        open_experiment("damaged", workspace)
    with pytest.raises(TuneloopError, match="not a valid name"):
        open_experiment("../comparisons/x-aaaa", workspace)


def test_a_budgets_methods_are_points_with_their_front_and_what_to_take(workspace: Workspace) -> None:
    found = open_experiment("x-aaaa", workspace)
    assert costs_of(found) == ["seconds", "latency_ms", "labels"]
    all_labels = points(found, cost="seconds", budget=COMPARISON["budgets"][1])
    assert [(each.label, each.front, each.take) for each in all_labels] == [
        ("tfidf", True, True), ("full", False, False), ("lora", False, False)
    ]  # fmt: skip
    assert (all_labels[0].low, all_labels[0].high) == (0.8, 1.0)
    fast = points(found, cost="latency_ms", budget=COMPARISON["budgets"][1])
    assert [(each.label, each.cost) for each in fast] == [("full", 4)]


def test_against_labels_every_budget_is_in_one_picture(workspace: Workspace) -> None:
    found = points(open_experiment("x-aaaa", workspace), cost="labels")
    assert len({each.label for each in found}) == 5
    front = {(each.cost, each.value) for each in found if each.front}
    assert front == {(16, 0.7), (90, 0.9)}
    assert {(each.cost, each.value) for each in found if each.take} == front


def test_trials_that_were_given_up_are_no_points(workspace: Workspace) -> None:
    found = points(open_experiment("x-bbbb", workspace), cost="seconds")
    assert [(each.label, each.front, each.take) for each in found] == [
        ("2", True, True), ("0", True, False), ("4", False, False)
    ]  # fmt: skip
    assert found[0].low is None
