"""SQuAD, C3, ChID and tables without quotes, as files of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuneloop.core.errors import DataError
from tuneloop.data.examples import Span
from tuneloop.data.readers import read_table
from tuneloop.data.readers.squad import is_squad
from tuneloop.tasks import TASKS

QUESTIONS: list[dict[str, Any]] = [
    {"id": "56be4db0", "question": "Who?", "answers": [{"text": "Denver", "answer_start": 4}]},
    {"id": "56be4db1", "question": "When?", "answers": [], "is_impossible": True,
     "plausible_answers": [{"text": "Denver", "answer_start": 4}]},
]  # fmt: skip


def squad(tmp_path: Path, questions: list[dict[str, Any]], **how: Any) -> Path:
    value = {
        "version": "v2.0",
        "data": [{"title": "Bowl", "paragraphs": [{"qas": questions, "context": "The Denver team"}]}],
    }
    path = tmp_path / "train.json"
    path.write_text(json.dumps(value, **how), encoding="utf-8")
    return path


@pytest.mark.parametrize("indent", [None, 2])
def test_squad_is_told_from_json_lines_and_gives_a_row_for_each_question(tmp_path: Path, indent: int | None) -> None:
    squad(tmp_path, QUESTIONS, indent=indent)
    table = read_table("train.json", base=tmp_path)
    assert table.columns == {
        "id": ["56be4db0", "56be4db1"],
        "question": ["Who?", "When?"],
        "context": ["The Denver team"] * 2,
        "answers": [[{"text": "Denver", "answer_start": 4}], []],
    }
    assert table.place(1) == "train.json, row 2"


def test_json_lines_with_a_column_called_data_stay_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"data": [{"x": 1}], "text": "a", "label": "b"}\n')
    assert not is_squad(tmp_path / "a.json")
    assert list(read_table("a.json", base=tmp_path).columns) == ["data", "text", "label"]


def test_a_file_without_answers_has_no_column_of_them(tmp_path: Path) -> None:
    squad(tmp_path, [{"id": 1, "question": "Who?"}])
    assert list(read_table("train.json", base=tmp_path).columns) == ["id", "question", "context"]


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ({"id": 3, "question": "Who?"}, r'data\[0\].paragraphs\[0\].qas\[2\]: "answers" is missing'),
        ({"id": 3, "question": 5, "answers": []}, r"qas\[2\].question: a text should stand here"),
        ({"id": 3, "question": "", "answers": "x"}, r"qas\[2\].answers: a list should stand here"),
        (
            {"id": 3, "question": "", "answers": [{"text": "a", "answer_start": "0"}]},
            r"answers\[0\].answer_start: a whole",
        ),
        ({"question": "Who?", "answers": []}, r'qas\[2\]: "id" is missing'),
        (7, r'train.json, data\[0\].paragraphs\[0\].qas\[2\]: "question" is missing|"id" is missing'),
    ],
)
def test_what_is_wrong_in_squad_is_named_with_its_place(tmp_path: Path, question: Any, says: str) -> None:
    squad(tmp_path, [*QUESTIONS, question])
    with pytest.raises(DataError, match=says):
        read_table("train.json", base=tmp_path)


@pytest.mark.parametrize("content", ["", "[" * 20_000, '{"data": [', "[1, 2]", '{"data": {}}'])
def test_a_file_that_is_not_squad_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(DataError, match=r"train\.json"):
        read_table("train.json", base=tmp_path, format="squad")


def test_squad_becomes_a_snapshot_of_questions(tmp_path: Path, build: Any) -> None:
    places = ["Denver", "Paris", "Rome", "Oslo"]
    questions = [
        {"id": str(n), "question": f"{n * 7919:x} {n**3:o}?", "answers": [{"text": "Denver", "answer_start": 0}]}
        for n in range(1, 40)
    ]
    paragraphs = [{"qas": [each], "context": f"The Denver team, {n}"} for n, each in enumerate(questions)]
    (tmp_path / "train.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    columns = {"text": "question", "pair": "context", "label": "answers", "id": "id"}
    snapshot = build("train.json", task="qa", columns=columns, clean={"duplicates": "exact"})
    assert snapshot.split("train").labels[0] == (Span(4, 10, places[0]),)


def test_c3_and_chid_are_formats_like_any_other(tmp_path: Path) -> None:
    c3 = [[["下雨了。"], [{"question": "天气？", "choice": ["晴", " 雨"], "answer": "雨"}], "m-1"]]
    (tmp_path / "m-train.json").write_text(json.dumps(c3))
    table = read_table("m-train.json", base=tmp_path, format="c3")
    assert table.columns["choices"] == [["晴", "雨"]] and table.columns["answer"] == ["雨"]
    row = TASKS.get("multiple_choice").parse_row("天气？", table.columns["choices"][0], table.columns["answer"][0])
    assert row == ("天气？", "晴\n雨", "雨")
    chid = {"candidates": ["百家争鸣", "一五一十"], "content": ["前" * 60 + "#idiom000001#" + "后" * 10]}
    (tmp_path / "train.json").write_text(json.dumps(chid))
    table = read_table("train.json", base=tmp_path, format="chid")
    assert "answer" not in table.columns and table.columns["id"] == ["#idiom000001#"]
    assert table.columns["text"] == ["前" * 38 + "____" + "后" * 10]
    (tmp_path / "train_answer.json").write_text('{"#idiom000001#": 1}')
    assert read_table("train.json", base=tmp_path, format="chid").columns["answer"] == ["一五一十"]


def test_in_a_plain_table_a_quote_is_a_character(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b'index\tsentence\r\n0\t"a\r\n1\tb" c\r\n')
    table = read_table("a.tsv", base=tmp_path, format="plain_tsv")
    assert table.columns == {"index": ["0", "1"], "sentence": ['"a', 'b" c']} and list(table.rows) == [2, 3]
