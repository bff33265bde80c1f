from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.experiments.budget import Budgeted, draw


@given(st.lists(st.sampled_from("abc"), max_size=80), st.integers(1, 30), st.integers(0, 9))
def test_no_class_has_more_rows_than_the_budget_and_none_fewer_than_there_are(
    labels: list[str], budget: int, seed: int
) -> None:
    rows = draw(labels, budget, names=3, seed=seed)
    assert rows == sorted(set(rows))
    drawn = Counter(labels[row] for row in rows)
    assert drawn == {label: min(count, budget) for label, count in Counter(labels).items()}


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=80), st.integers(1, 30), st.integers(0, 9))
def test_a_larger_budget_holds_the_rows_of_a_smaller_one(labels: list[str], budget: int, seed: int) -> None:
    small, large = (set(draw(labels, size, names=3, seed=seed)) for size in (budget, budget + 5))
    assert small <= large


def test_rows_without_a_single_class_are_counted_by_label_names() -> None:
    assert len(draw([0.5] * 40, 6, names=0, seed=0)) == 6
    assert len(draw([("a", "b"), ("c",)] * 20, 6, names=3, seed=0)) == 18
    assert len(draw([f"query{number}:passage" for number in range(40)], 6, names=0, seed=0)) == 6


@pytest.mark.parametrize("task", ["retrieval", "multiple_choice", "qa", "regression"])
def test_a_task_without_classes_has_as_many_rows_as_the_budget(made_up: Any, task: str) -> None:
    assert len(Budgeted(made_up(task), 5, seed=0).split("train")) == 5


def test_dev_has_no_more_labels_than_train_and_test_is_whole(made_up: Any) -> None:
    whole = made_up("classification")
    few = Budgeted(whole, 4, seed=1)
    assert [len(few.split(name)) for name in ("train", "dev", "test")] == [8, 8, 60]
    assert few.hash not in {whole.hash, Budgeted(whole, 4, seed=2).hash, Budgeted(whole, 5, seed=1).hash}
    assert few.labels == whole.labels


@pytest.mark.parametrize("name", ["train", "dev", "test"])
def test_all_labels_are_the_snapshot_itself(made_up: Any, name: str) -> None:
    whole = made_up("classification")
    every = Budgeted(whole, "all", seed=3)
    assert every.split(name) == whole.split(name)
    assert every.hash == whole.hash
