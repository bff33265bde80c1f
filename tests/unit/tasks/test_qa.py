"""Answers are found where they stand, in any window, and counted as SQuAD counts them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tuneloop.core.config import TaskConfig
from tuneloop.data.examples import Span
from tuneloop.tasks import create_task
from tuneloop.tasks.answer_words import shared_f1
from tuneloop.tasks.qa import ExtractiveQA
from tuneloop.tasks.spans import as_scores


@pytest.mark.parametrize(
    ("one", "other", "f1"),
    [
        ("the Cat sat.", "cat sat", 1.0),
        ("a cat", "the dog", 0.0),
        ("cat", "big cat", 2 / 3),
        ("the", "an", 1.0),  # nothing is left of both
        ("", "x", 0.0),
        ("北京大学", "北京", 2 * 2 / 6),
        ("“北京”", "北京", 1.0),
        ("1990年5月", "1990年", 2 * 2 / 6),
    ],
)
def test_shared_words_are_counted_as_in_squad(one: str, other: str, f1: float) -> None:
    assert shared_f1(one, other) == shared_f1(other, one) == pytest.approx(f1)


def test_the_best_of_several_answers_counts() -> None:
    task = create_task(TaskConfig(type="qa"), {})
    labels = [(Span(0, 3, "cat"), Span(0, 7, "big cat")), (), ()]
    scores = as_scores([((Span(0, 7, "Big cat."), 0.9),), (), ((Span(0, 1, "x"), 0.2),)])
    assert task.metrics(labels, scores) == {"f1": pytest.approx(2 / 3), "exact_match": pytest.approx(2 / 3)}
    assert task.right(labels, scores).tolist() == [True, True, False]


def test_an_answer_is_put_where_it_stands() -> None:
    text = "one two one two"
    assert ExtractiveQA.parse_row("q", text, {"text": ["one"], "answer_start": [9]})[2] == (Span(8, 11, "one"),)
    assert ExtractiveQA.parse_row("q", text, "two")[2] == (Span(4, 7, "two"),)
    assert ExtractiveQA.parse_row("q", text, [{"text": "two", "answer_start": 12}, "two"])[2] == (
        Span(12, 15, "two"), Span(4, 7, "two"),
    )  # fmt: skip
    assert ExtractiveQA.parse_row("q", text, {"text": [], "answer_start": []})[2] == ()
    with pytest.raises(ValueError, match="is not in the text"):
        ExtractiveQA.parse_row("q", text, "three")


@pytest.mark.parametrize(
    ("label", "spans"),
    [
        ('{"text": ["ada"], "answer_start": [0]}', (Span(0, 3, "ada"),)),
        ('["ada", "was"]', (Span(0, 3, "ada"), Span(4, 7, "was"))),
        ("[]", ()),
        ("ada", (Span(0, 3, "ada"),)),
    ],
)
def test_an_answer_may_stand_as_json_in_a_cell(label: str, spans: tuple[Span, ...]) -> None:
    assert ExtractiveQA.parse_row("who?", "ada was", label) == ("who?", "ada was", spans)


@pytest.mark.parametrize(
    ("text", "label", "says"),
    [
        ("ada was", 1815, "1815 is no answer"),
        ("ada was", {"text": "ada", "answer_start": [4]}, "is no answer"),
        ("ada was", {"text": ["ada", "was"], "answer_start": [0]}, "2 answers have 1 beginnings"),
        (" ", "ada", "no text that could hold"),
    ],
)
def test_what_is_no_answer_is_refused_with_the_reason(text: str, label: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ExtractiveQA.parse_row("who?", text, label)


def test_an_answer_behind_the_first_window_is_found(tiny_model: Path) -> None:
    task = create_task(TaskConfig(type="qa", stride=3), {"may_be_none": True})
    text = " ".join("abcdefghijklmno" * 2) + " good bad"
    answer = Span(text.index("good"), len(text), "good bad")
    inputs, labels = [("a b", text), ("a " * 9 + "b", text), ("a", "b c")], [(answer,), (answer,), ()]
    tokens = task.tokenizer(tiny_model, 14).encode(inputs)
    assert np.bincount(tokens.owners).tolist()[2] == 1 and len(tokens) > 8
    assert [bool(tokens.truncated[tokens.owners == owner].any()) for owner in range(3)] == [False, True, False]
    targets = task.aligned(labels, tokens, inputs)
    assert all(len(np.flatnonzero((tokens.owners == owner) & (targets[:, 0] > 0))) for owner in (0, 1))
    logits = np.zeros((len(tokens), int(tokens.lengths.max()), 2), dtype=np.float32)
    for side in (0, 1):
        logits[np.arange(len(tokens)), targets[:, side], side] = 9.0
    found = task.answers(logits, tokens, inputs)
    assert task.decide(found) == labels
    assert found[0][0][1] > 0.99


def test_without_unanswered_questions_in_training_there_is_always_an_answer(tiny_model: Path) -> None:
    inputs = [("a", "b c d")]
    always, maybe = (create_task(TaskConfig(type="qa"), {"may_be_none": each}) for each in (False, True))
    tokens = always.tokenizer(tiny_model, 14).encode(inputs)
    logits = np.zeros((1, 7, 2), dtype=np.float32)
    logits[0, 0] = 5.0
    assert len(always.decide(always.answers(logits, tokens, inputs))[0]) == 1
    assert maybe.decide(maybe.answers(logits, tokens, inputs)) == [()]


def test_an_answer_is_no_longer_than_allowed(tiny_model: Path) -> None:
    task = create_task(TaskConfig(type="qa", max_answer_tokens=2), {})
    inputs = [("a", "b c d e")]
    tokens = task.tokenizer(tiny_model, 14).encode(inputs)
    logits = np.zeros((1, 8, 2), dtype=np.float32)
    logits[0, 3, 0], logits[0, 6, 1] = 5.0, 5.0  # from b to e
    (answer,) = task.decide(task.answers(logits, tokens, inputs))
    assert len(answer[0].label.split()) <= 2
