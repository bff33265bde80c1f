"""The official figures, against what scikit-learn or the official script says."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tuneloop.core.config import TaskConfig
from tuneloop.data.examples import Examples, Span
from tuneloop.suites.cmrc import exact, row_figures, shared_run_f1
from tuneloop.suites.figures import official_figures
from tuneloop.suites.once import each_once
from tuneloop.tasks import create_task
from tuneloop.tasks.spans import as_scores


def test_f1_of_a_class_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 200)
    scores = random.dirichlet((1, 1), 200).astype(np.float32)
    task = create_task(TaskConfig(type="pair"), {"labels": ["0", "1"]})
    found = official_figures(("f1_of_1", "accuracy"), task, list(map(str, labels)), scores, resamples=200, seed=0)
    assert list(found) == ["f1_of_1", "accuracy"]
    assert found["f1_of_1"].value == pytest.approx(f1_score(labels, scores.argmax(axis=1)))
    assert all(figure.low < figure.value < figure.high for figure in found.values())


@pytest.mark.parametrize(
    ("given", "right", "f1", "em"),
    [
        ("光荣和ω-force", "光荣和ω-force", 1, 1),
        ("光荣", "光荣和ω-force", 4 / 6, 0),  # 2 of 2 against 2 of 4: 光 荣 和 ωforce
        ("《光荣》。", "光荣", 1, 1),
        ("1862 年", "1862年", 1, 0),
        ("和光", "光荣和", 2 / 5, 0),  # the same characters, but not in one run
        ("", "光荣", 0, 0),
    ],
)
def test_the_figures_of_cmrc_compare_runs(given: str, right: str, f1: float, em: float) -> None:
    assert shared_run_f1(given, right) == pytest.approx(f1)
    assert exact(given, right) == em


def test_the_best_of_several_right_answers_counts() -> None:
    labels = [(Span(8, 18, "光荣和ω-force"), Span(8, 10, "光荣")), (Span(0, 1, "好"),)]
    answers = [(Span(8, 10, "光荣"),), ()]
    found = row_figures(labels, answers)
    assert found["cmrc_f1"].tolist() == [1, 0] and found["cmrc_exact_match"].tolist() == [1, 0]
    task = create_task(TaskConfig(type="qa"), {"labels": []})
    scores = as_scores([((answers[0][0], 0.9),), ()])
    figures = official_figures(("cmrc_exact_match", "cmrc_f1"), task, labels, scores, resamples=100, seed=0)
    assert figures["cmrc_f1"].value == 0.5


def test_an_idiom_is_taken_once_in_a_record_where_the_blanks_are_fewer_than_the_idioms() -> None:
    shares = [(0.6, 0.4), (0.9, 0.1), (0.7, 0.3), (0.8, 0.2), (0.8, 0.2), (0.8, 0.2)]
    scores = as_scores([tuple(zip("ab", each, strict=True)) for each in shares])
    rows = Examples(list("123456"), ["?"] * 6, pairs=["a\nb"] * 6, columns={"group": [1, 1, 2, 3, 3, 3]})
    assert [max(found, key=lambda each: each[1])[0] for found in each_once(rows, scores)] == list("baaaaa")
