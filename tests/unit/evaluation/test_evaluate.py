"""A whole evaluation, its JSON and its page."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from tuneloop.core.config import EvaluationConfig
from tuneloop.core.errors import DataError, ModelError
from tuneloop.core.i18n import use_language
from tuneloop.evaluation.evaluate import evaluate
from tuneloop.evaluation.limits import limits
from tuneloop.evaluation.report import report_html

KINDS = ("classification", "multilabel", "regression")
QUICK = EvaluationConfig(resamples=100)


@pytest.fixture
def evaluation(made_up, examples_of):
    """JSON of an evaluation of made-up answers, beside a baseline and a reference."""

    def make(kind="classification", rows=150, examples=None, **options):
        task, labels, scores = made_up(kind, rows, seed=0, **options)
        _, _, worse = made_up(kind, rows, seed=0, **(options | {"skill": 0.3}))
        found = evaluate(
            task=task,
            examples=examples or examples_of(labels),
            scores=scores,
            baselines={"tfidf": worse},
            reference=("m-1", scores),
            config=QUICK,
            seed=0,
            truncated=[row % 3 == 0 for row in range(rows)],
        )
        return json.loads(json.dumps(found.to_json(), allow_nan=False))

    return make


@pytest.fixture(params=["en", "zh"])
def in_each_language(request):
    use_language(request.param)
    yield request.param
    use_language(None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_made_from_the_json_alone_in_each_language(evaluation, kind, in_each_language):
    html = report_html(evaluation(kind), title="m-2", lineage={"run": "r"})
    assert {"en": "The model is better than", "zh": "“本模型”优于"}[in_each_language] in html
    assert {"en": "cannot be told apart", "zh": "无法判断"}[in_each_language] in html
    assert not re.search(r'(src|href)="(?!#)', html)
    assert "nan" not in re.sub("<style>.*?</style>", "", html, flags=re.DOTALL).lower().split()
    if in_each_language == "zh":
        assert "The model" not in html and "interval" not in html


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 2, 30])
def test_a_tiny_test_split_gives_figures_and_a_page_that_says_how_little_they_mean(evaluation, kind, rows):
    found = evaluation(kind, rows)
    html = report_html(found, title="m-2", lineage={})
    assert f"With only {rows} test texts the intervals themselves are rough." in html


@pytest.mark.parametrize("classes", [["yes", "no"], [f"class {number}" for number in range(60)]])
def test_any_number_of_classes_has_a_page(evaluation, classes):
    found = evaluation(rows=200, classes=sorted(classes))
    assert len(found["per_class"]) == len(classes)
    assert ("Confusion matrix" in report_html(found, title="m", lineage={})) == (len(classes) == 2)


def test_a_model_without_mistakes_is_not_called_perfect(evaluation):
    found = evaluation(rows=150, skill=50.0)
    assert found["metrics"]["accuracy"]["value"] == 1 and found["worst_errors"] == []
    assert "error rate of about 2.0 %" in report_html(found, title="m", lineage={})


def test_texts_cannot_run_in_the_page(made_up, examples_of, evaluation):
    _, labels, _ = made_up("classification", 150, seed=0)
    examples = examples_of(labels)
    hostile = replace(examples, texts=["<script>alert(1)</script>"] * 150)
    html = report_html(evaluation(examples=hostile), title="<b>", lineage={"<i>": "<u>"})
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert "<b>" not in html and "<i>" not in html


def test_the_surest_mistakes_come_first(evaluation):
    found = evaluation()["worst_errors"]
    sure = [error["probability"] for error in found]
    assert sure == sorted(sure, reverse=True)
    assert all(error["label"] != error["answer"] for error in found)
    assert found[0].keys() == {"id", "text", "pair", "label", "answer", "probability"}


def test_the_same_seed_gives_the_same_evaluation(evaluation):
    assert evaluation() == evaluation()


def test_a_reference_that_was_trained_on_test_texts_is_exposed(evaluation):
    found = evaluation()
    found["reference"]["rows_seen"] = 12
    assert "m-1 was trained on 12 of these texts" in report_html(found, title="m", lineage={})


def test_texts_that_the_model_was_trained_on_are_named(evaluation):
    found = evaluation() | {"split": "own.csv"}
    told = {seen: " ".join(limits(found | {"rows_seen": seen})) for seen in (None, 0, 7)}
    assert "not checked" in told[None] and "trained on none of these texts" in told[0]
    assert "The model was trained on 7 of these texts" in told[7]


def measured(made_up, examples_of, **changes):
    task, labels, scores = made_up("classification", 20, seed=0)
    given = {"task": task, "examples": examples_of(labels), "scores": scores, "baselines": {}, "reference": None}
    return evaluate(**(given | {"config": QUICK, "seed": 0, "truncated": None} | changes))


def test_answers_that_cannot_be_measured_are_refused(made_up, examples_of):
    _, labels, scores = made_up("classification", 20, seed=0)
    broken = scores.copy()
    broken[3, 1] = np.nan
    with pytest.raises(ModelError, match="model are not all finite"):
        measured(made_up, examples_of, scores=broken)
    with pytest.raises(ModelError, match="scores of tfidf"):
        measured(made_up, examples_of, baselines={"tfidf": scores[:, :2]})
    with pytest.raises(DataError, match="test split is empty"):
        measured(made_up, examples_of, examples=examples_of([]), scores=scores[:0])
    with pytest.raises(DataError, match="'z'"):
        measured(made_up, examples_of, examples=examples_of(["z", *labels[1:]]))
