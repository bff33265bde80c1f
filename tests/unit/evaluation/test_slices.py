"""Parts of the test split: every row once, and a figure that means the same on each."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import DataError
from tuneloop.evaluation.slices import slices
from tuneloop.tasks import create_task


def measured(made_up, examples_of, rows=200, kind="classification", columns=(), truncated=None, **data):
    task, labels, scores = made_up(kind, rows, seed=0)
    examples = examples_of(labels, **data)
    return slices(task, examples, scores, columns=columns, truncated=truncated, resamples=100, seed=0)


def test_quarters_of_length_hold_every_row_once(made_up, examples_of):
    found = measured(made_up, examples_of)
    assert [part.by for part in found] == ["length"] * 4
    assert sum(part.rows for part in found) == 200
    bounds = [tuple(map(int, part.part.split("-"))) for part in found]
    assert all(first[1] < second[0] for first, second in itertools.pairwise(bounds))


def test_values_with_few_rows_are_pooled(made_up, examples_of):
    source = ["web"] * 100 + ["mail"] * 80 + ["fax"] * 15 + [None] * 5
    found = [part for part in measured(made_up, examples_of, columns=("source",), source=source) if part.by == "source"]
    assert [(part.part, part.rows) for part in found] == [("mail", 80), ("web", 100), (None, 20)]


def test_a_column_of_rare_values_is_one_part(made_up, examples_of):
    found = measured(made_up, examples_of, columns=("n",), n=list(range(200)))
    assert [(part.part, part.rows) for part in found if part.by == "n"] == [(None, 200)]


def test_a_part_that_lacks_a_class_is_not_blamed_for_it(made_up, examples_of):
    task, labels, _ = made_up("classification", 200, seed=0)
    perfect = task.scores(task.targets(labels)[:, None].repeat(3, axis=1) * 0 + 0.0)
    for row, number in enumerate(task.targets(labels)):
        perfect[row] = [float(number == other) for other in range(3)]
    examples = examples_of(labels, label_again=labels)
    found = slices(task, examples, perfect, columns=("label_again",), truncated=None, resamples=100, seed=0)
    assert {part.figure.value for part in found} == {1.0}


def test_cut_texts_are_a_part_where_there_are_enough(made_up, examples_of):
    enough = measured(made_up, examples_of, truncated=[row < 30 for row in range(200)])
    assert [(part.part, part.rows) for part in enough if part.by == "truncated"] == [("yes", 30), ("no", 170)]
    few = measured(made_up, examples_of, truncated=[row < 3 for row in range(200)])
    assert not [part for part in few if part.by == "truncated"]


def test_a_column_that_is_not_there_is_named(made_up, examples_of):
    with pytest.raises(DataError, match=r"'sauce'[^\n]*\n[^\n]*source"):
        measured(made_up, examples_of, columns=("sauce",), source=["x"] * 200)


def test_queries_of_a_part_are_asked_among_all_passages(examples_of):
    task = create_task(TaskConfig(type="retrieval"), {})
    random = np.random.default_rng(0)
    vectors = random.normal(size=(200, 16))
    asked = vectors + random.normal(size=vectors.shape)
    scores = np.hstack([each / np.linalg.norm(each, axis=1, keepdims=True) for each in (asked, vectors)])
    scores = scores.astype(np.float32)
    labels = [f"q{row}:p{row}" for row in range(200)]
    examples = examples_of(labels, lang=["en"] * 175 + ["zh"] * 25)
    found = slices(task, examples, scores, columns=("lang",), truncated=None, resamples=100, seed=0)
    whole = task.row_figures(labels, scores)["ndcg_at_10"]
    parts = {part.part: part.figure.value for part in found if part.by == "lang"}
    assert parts == pytest.approx({"en": whole[:175].mean(), "zh": whole[175:].mean()})
    assert parts["zh"] < task.metrics(labels[175:], scores[175:])["ndcg_at_10"]
