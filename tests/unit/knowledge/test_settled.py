"""Scores are made to say the final answers, and nothing else of them changes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.core.config import TaskConfig
from tuneloop.inference.ruling import KINDS, outcomes, ruled, settle
from tuneloop.knowledge.rules import parse_rules
from tuneloop.serve.schemas import PredictionOut
from tuneloop.tasks import create_task
from tuneloop.tasks.spans import as_scores
from tuneloop.tasks.written import Written

LABELS = ["a", "b", "c"]


def task_of(name: str) -> Any:
    return create_task(TaskConfig(type=name), {"labels": LABELS if KINDS[name] in ("class", "set") else []})


answers = {
    "classification": st.sampled_from(LABELS),
    "multilabel": st.sets(st.sampled_from(LABELS)).map(lambda chosen: tuple(sorted(chosen))),
    "regression": st.floats(-5, 5, width=32),
}


@pytest.mark.parametrize("name", sorted(answers))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_settled_scores_decide_for_the_answers_and_keep_the_rows_that_did_already(name: str, data: Any) -> None:
    task, width = task_of(name), 1 if name == "regression" else 3
    rows = data.draw(st.lists(st.lists(st.floats(0, 1, width=32), min_size=width, max_size=width), min_size=1))
    scores = np.array(rows, dtype=np.float32)
    wanted = data.draw(st.lists(answers[name], min_size=len(rows), max_size=len(rows)))
    settled = settle(task, scores, wanted)
    assert task.decide(settled) == wanted
    for row, decided in enumerate(task.decide(scores)):
        if decided == wanted[row]:
            assert settled[row].tolist() == scores[row].tolist()


def test_a_written_text_is_replaced_and_its_likelihood_kept() -> None:
    scores = as_scores([Written("a", True, -3.0, 2), Written("b")])
    settled = settle(task_of("generation"), scores, ["other", "b"])
    assert settled[0] == Written("other", True, -3.0, 2) and settled[1] == scores[1]


@pytest.mark.parametrize(
    ("name", "rule", "scores", "label"),
    [
        ("multilabel", "then: {add: b, remove: a}", [[0.9, 0.1, 0.7]], ("b", "c")),
        ("regression", "then: {at_most: 0.1}", [[3.5]], 0.1),
        ("pair", "if: {pair: {contains: not}}, then: {label: c}", [[0.9, 0.1, 0.0]], "c"),
    ],
)
def test_rules_change_the_answers_of_every_kind_of_task(name: str, rule: str, scores: Any, label: Any) -> None:
    task = task_of(name)
    book = parse_rules(f"rules:\n  - {{name: r, {rule}}}\n")
    predictions = task.predictions(np.array(scores, dtype=np.float32))
    inputs: list[Any] = [("it is", "it is not")] if name == "pair" else ["it is"]
    (found,) = ruled(predictions, outcomes(book, task, inputs, predictions))
    assert found.label == label and found.probabilities == predictions[0].probabilities
    sent = json.loads(json.dumps(found.to_json()))
    assert PredictionOut.model_validate(sent).model_dump(exclude_none=True)["because"][0]["rule"] == "r"


def test_what_a_writer_must_not_say_is_replaced_whatever_the_form_of_the_prompt() -> None:
    task = task_of("generation")
    book = parse_rules(
        "rules:\n  - name: r\n    if: {contains: savings}\n"
        "    then: {must_not_say: 'guarantee', instead: Ask an adviser.}\n"
    )
    prompts = ["My savings?", '[{"role": "user", "content": "savings"}]', "Hello"]
    predictions = task.predictions(as_scores([Written("We guarantee 9 %.")] * 3))
    found = ruled(predictions, outcomes(book, task, prompts, predictions))
    assert [each.label for each in found] == ["Ask an adviser.", "Ask an adviser.", "We guarantee 9 %."]
