"""The baselines where there is little to learn from."""

from __future__ import annotations

import pytest

from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import ConfigError
from tuneloop.data.examples import Examples, Label
from tuneloop.methods import create_method
from tuneloop.methods.base import BaselineModel
from tuneloop.methods.majority import Majority
from tuneloop.methods.tfidf import Tfidf
from tuneloop.tasks import create_task


def fit(kind: type[Majority | Tfidf], texts: list[str], labels: list[Label], task: str, *names: str) -> BaselineModel:
    known = create_task(TaskConfig(type=task), {"labels": list(names)})
    known.learn(labels)
    return kind().fit(Examples([str(row) for row in range(len(texts))], texts, labels), known, seed=0)


def test_the_majority_answers_with_the_training_frequencies() -> None:
    model = fit(Majority, ["x"] * 4, ["a", "b", "b", "b"], "classification", "a", "b", "c")
    assert model.scores(["anything", ""]).tolist() == [[0.25, 0.75, 0]] * 2
    assert model.predict(["anything"])[0].label == "b"


def test_the_majority_of_several_labels_is_the_frequency_of_each() -> None:
    model = fit(Majority, ["x"] * 4, [("a",), ("a", "b"), ("a",), ()], "multilabel", "a", "b")
    assert model.scores(["anything"]).tolist() == [[0.75, 0.25]]
    assert model.predict(["anything"])[0].label == ("a",)


def test_the_majority_of_numbers_is_their_mean() -> None:
    assert fit(Majority, ["x"] * 2, [10.0, 30.0], "regression").scores(["anything"])[0, 0] == pytest.approx(20)


@pytest.mark.parametrize("texts", [["!", "?", "..."], ["one", "two", "three"]])
def test_words_that_teach_nothing_leave_the_majority(texts: list[str]) -> None:
    labels: list[Label] = ["a", "b", "b"] if texts[0] == "!" else ["a", "a", "a"]
    assert fit(Tfidf, texts, labels, "classification", "a", "b").name == "majority"


def test_a_class_that_train_lacks_has_probability_zero() -> None:
    scores = fit(Tfidf, ["good", "bad"], ["b", "c"], "classification", "a", "b", "c").scores(["good", "other"])
    assert scores[:, 0].tolist() == [0, 0]
    assert scores.sum(axis=1) == pytest.approx(1)


def test_a_label_that_all_texts_have_is_always_given() -> None:
    model = fit(Tfidf, ["good", "bad"], [("a", "b"), ("a",)], "multilabel", "a", "b")
    assert [answer.label for answer in model.predict(["good good", "bad"])][1] == ("a",)


def test_no_texts_have_no_answers() -> None:
    assert fit(Tfidf, ["good", "bad"], ["b", "c"], "classification", "b", "c").predict([]) == []


@pytest.mark.parametrize("name", ["tfidf", "majority"])
def test_a_baseline_is_no_method(name: str) -> None:
    from tuneloop.core.config import MethodConfig

    with pytest.raises(ConfigError, match="cannot be released"):
        create_method(MethodConfig(type=name))
