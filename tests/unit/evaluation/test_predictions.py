"""Predictions come back as they were written, and are compared only with those on the same rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tuneloop.core.errors import DataError
from tuneloop.evaluation.predictions import align, compare_predictions, read_predictions, write_predictions

KINDS = ("classification", "multilabel", "regression")


@pytest.fixture
def written(made_up, examples_of, tmp_path):
    def write(kind="classification", **options):
        task, labels, scores = made_up(kind, 60, seed=0, **options)
        path = tmp_path / "predictions.parquet"
        write_predictions(path, task, examples_of(labels), scores)
        return path

    return write


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_is_what_was_written(made_up, examples_of, written, kind):
    task, labels, scores = made_up(kind, 60, seed=0)
    found = read_predictions(written(kind))
    assert found.examples == examples_of(labels)
    assert found.answers == task.decide(scores)
    assert (found.scores == scores).all()
    assert found.classes == task.labels


def test_pairs_are_kept(made_up, examples_of, tmp_path):
    task, labels, scores = made_up("classification", 3, seed=0)
    examples = replace(examples_of(labels), pairs=["x", "", "中文"])
    write_predictions(tmp_path / "p", task, examples, scores)
    assert read_predictions(tmp_path / "p").examples.pairs == ["x", "", "中文"]


def test_equal_predictions_are_equal_bytes(written):
    assert written().read_bytes() == written().read_bytes()


def test_a_damaged_file_is_a_data_error(tmp_path):
    path = tmp_path / "predictions.parquet"
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match=r"predictions\.parquet"):
        read_predictions(path)


def test_rows_are_matched_by_id_in_any_order(written):
    found = read_predictions(written())
    shuffled = found.select(np.random.default_rng(0).permutation(60).tolist())
    assert align(found, shuffled).examples == found.examples
    assert (align(found, shuffled).scores == found.scores).all()


@pytest.mark.parametrize("change", ["fewer", "text", "label", "classes"])
def test_other_test_rows_are_refused(written, change):
    found = read_predictions(written())
    examples = found.examples
    other = {
        "fewer": found.select(list(range(59))),
        "text": replace(found, examples=replace(examples, texts=["new", *examples.texts[1:]])),
        "label": replace(found, examples=replace(examples, labels=["z", *examples.labels[1:]])),
        "classes": replace(found, classes=("a", "b")),
    }[change]
    with pytest.raises(DataError):
        align(found, other)


def test_changed_answers_are_listed_with_both_answers(made_up, written):
    task, _, _ = made_up("classification", 1, seed=0)
    before = read_predictions(written())
    scores = before.scores.copy()
    scores[:2] = np.roll(scores[:2], 1, axis=1)
    after = replace(before, scores=scores, answers=task.decide(scores))
    found, rows = compare_predictions(task, after, before, seed=0, resamples=100)
    assert found.verdict == "cannot tell" and {row["id"] for row in rows} == {"r0", "r1"}
    assert all(row["a"] != row["b"] for row in rows)
