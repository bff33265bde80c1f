"""Conversations as OpenAI, ShareGPT and Alpaca keep them, and talks by topic that come as samples."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tuneloop.core.errors import DataError
from tuneloop.data.readers import read_table

USER, ANSWER = {"role": "user", "content": "你好"}, {"role": "assistant", "content": "嗨"}
SYSTEM = {"role": "system", "content": "be kind"}


def write(tmp_path: Path, rows: list[Any], name: str = "chat.jsonl", *, array: bool = False) -> str:
    text = json.dumps(rows, indent=1) if array else "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / name).write_text(text, encoding="utf-8")
    return name


@pytest.mark.parametrize(
    ("name", "array"), [("a.jsonl", False), ("a.json", False), ("a.json", True), ("a.jsonl", True)]
)
def test_the_layout_of_openai_is_known_by_its_head(tmp_path: Path, name: str, array: bool) -> None:
    rows = [{"id": 1, "messages": [SYSTEM, USER, ANSWER]}, {"id": 2, "messages": [USER, ANSWER, USER, ANSWER]}]
    table = read_table(write(tmp_path, rows, name, array=array), base=tmp_path)
    assert table.columns == {
        "text": [[SYSTEM, USER], [USER, ANSWER, USER]], "label": ["嗨", "嗨"], "id": [1, 2],
    }  # fmt: skip
    assert table.place(1) == f"{name}, row 2"


def test_sharegpt_and_what_the_system_says_beside_it(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "你好"}, {"from": "gpt", "value": "嗨"}]
    rows = [{"conversations": turns, "system": "be kind"}, {"conversations": turns, "system": ""}]
    table = read_table(write(tmp_path, rows), base=tmp_path)
    assert table.columns == {"text": [[SYSTEM, USER], [USER]], "label": ["嗨", "嗨"]}


def test_alpaca_with_input_and_history(tmp_path: Path) -> None:
    rows = [
        {"instruction": "Translate", "input": "cat", "output": "猫", "text": "mine", "label": 3},
        {"instruction": "again", "input": "", "output": "x", "system": "be kind", "history": [["你好", "嗨"]]},
    ]
    table = read_table(write(tmp_path, rows), base=tmp_path)
    assert table.columns == {
        "text": [[{"role": "user", "content": "Translate\n\ncat"}],
                 [SYSTEM, USER, ANSWER, {"role": "user", "content": "again"}]],
        "label": ["猫", "x"],
        "text_": ["mine", None],
        "label_": [3, None],
    }  # fmt: skip


@pytest.mark.parametrize(
    "row",
    [{"messages": [USER]}, {"instruction": "你好", "input": ""}, {"instruction": "你好", "input": "", "output": ""}],
)
def test_a_file_without_answers_has_no_label(tmp_path: Path, row: dict[str, Any]) -> None:
    table = read_table(write(tmp_path, [row, row]), base=tmp_path)
    assert table.columns == {"text": [[USER], [USER]]}


def test_a_conversation_that_ends_with_a_question_waits_for_its_answer(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, [{"messages": [USER, ANSWER, USER]}]), base=tmp_path)
    assert table.columns == {"text": [[USER, ANSWER, USER]]}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"messages": [USER]}, "chat.jsonl, row 2: there is no answer, and other rows have one"),
        ({"messages": [USER, {"role": "tool", "content": "x"}]}, 'chat.jsonl, row 2, column "messages": message 2'),
        ({"messages": [ANSWER]}, 'row 2, column "messages": no message is of the user'),
        ({"messages": [ANSWER, USER, ANSWER, USER, SYSTEM]}, 'row 2, column "messages": message 5: the system may'),
        ({"messages": "hello"}, 'row 2, column "messages": a list should stand here'),
        ({"conversations": []}, 'row 2, column "conversations": there are no messages'),
        ({"instruction": " "}, 'row 2, column "instruction": "instruction" is empty'),
        ({"instruction": "a", "output": 3}, 'row 2, column "instruction": "output" is no text'),
        (
            {"instruction": "a", "output": "b", "history": [["q"]]},
            r'"history" should be a list of \[question, answer\]',
        ),
        ({"x": 1}, "row 2: there is no conversation: none of messages, conversations, instruction"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, row: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_table(write(tmp_path, [{"messages": [USER, ANSWER]}, row]), base=tmp_path)
    with pytest.raises(DataError, match=says.replace("jsonl", "json")):
        read_table(write(tmp_path, [{"messages": [USER, ANSWER]}, row], "chat.json", array=True), base=tmp_path)


def test_damaged_lists_are_refused_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a.json, \[1\]: not a JSON object"):
        read_table(write(tmp_path, [{"messages": [USER, ANSWER]}, 3], "a.json", array=True), base=tmp_path)
    (tmp_path / "a.json").write_text('[{"messages": [{"role": "user", "content": "x"')
    with pytest.raises(DataError, match=r"a\.json, line 1, character"):
        read_table("a.json", base=tmp_path)


@pytest.mark.parametrize(
    "row", [{"text": 'said "messages": [{"role": "user"', "label": "a"}, {"instruction": "a", "response": "b"},
            {"messages": ["a", "b"], "label": "c"}]
)  # fmt: skip
def test_other_json_lines_stay_what_they_are(tmp_path: Path, row: dict[str, Any]) -> None:
    table = read_table(write(tmp_path, [row]), base=tmp_path)
    assert table.columns == {name: [value] for name, value in row.items()}


def test_a_format_that_is_named_is_taken(tmp_path: Path) -> None:
    name = write(tmp_path, [{"extra": "x" * 100_000, "messages": [USER, ANSWER]}], "talks.txt")
    assert read_table(name, base=tmp_path, format="chat").columns["label"] == ["嗨"]


@pytest.mark.parametrize(("name", "rows", "topics"), [("dialogues-en", 2020, 21), ("dialogues-zh", 460, 17)])
def test_the_samples_are_talks_with_answers(tmp_path: Path, name: str, rows: int, topics: int) -> None:
    pytest.importorskip("chatterbot_corpus")
    table = read_table(f"sample:{name}", base=tmp_path)
    assert len(table) > rows and len(set(table.columns["topic"])) == topics
    assert all(isinstance(label, str) and label for label in table.columns["label"])
    assert all(text[-1]["role"] == "user" and text[0]["role"] == "user" for text in table.columns["text"])


def test_talks_are_read_as_written(tmp_path: Path) -> None:
    (tmp_path / "talks").mkdir()
    (tmp_path / "talks" / "a.yml").write_text(
        'conversations:\n- ["Really?", Yes]\n- - When?\n  - 1963\n  - Sure?\n- Alone\n- [a, "", b, c]\n- [q, w, e, r]\n'
    )
    table = read_table("talks", base=tmp_path, format="dialogues")
    assert table.columns["label"] == ["Yes", "1963", "r"] and table.columns["topic"] == ["a"] * 3
    assert [turn["role"] for turn in table.columns["text"][2]] == ["user", "assistant", "user"]
    (tmp_path / "talks" / "b.yml").write_text("- x")
    with pytest.raises(DataError, match=r"b\.yml holds no list of conversations"):
        read_table("talks", base=tmp_path, format="dialogues")
    (tmp_path / "talks" / "b.yml").write_text("{")
    with pytest.raises(DataError, match=r"b\.yml is not valid YAML"):
        read_table("talks", base=tmp_path, format="dialogues")


TALK = [SYSTEM, USER, ANSWER]
LAYOUTS = {
    "openai": [{"messages": TALK, "topic": "a"}, {"messages": [USER, ANSWER, USER, ANSWER], "topic": "b"}],
    "sharegpt": [
        {"conversations": [{"from": "human", "value": "你好"}, {"from": "gpt", "value": "嗨"}], "system": "be kind"},
        {"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}], "system": None},
    ],
    "alpaca": [
        {"instruction": "Translate", "input": "cat", "output": "猫", "history": None},
        {"instruction": "again", "input": None, "output": "x", "history": [["你好", "嗨"]]},
    ],
    "both": [{"messages": [USER | {"from": None, "value": None}, ANSWER | {"tool_calls": None}]}],
}


def saved(folder: Path, rows: list[dict[str, Any]], kind: str) -> str:
    """The rows in a Parquet file, or in a folder of the datasets library; its name."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), folder / "talks.parquet")
        return "talks.parquet"
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_list(rows).save_to_disk(str(folder / "talks"))
    return "talks"


@pytest.mark.parametrize("kind", ["parquet", "datasets"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_table_of_talks_is_read_as_its_json_lines_are(tmp_path: Path, layout: str, kind: str) -> None:
    rows = LAYOUTS[layout]
    expected = read_table(write(tmp_path, rows), base=tmp_path)
    found = read_table(saved(tmp_path, rows, kind), base=tmp_path)
    assert found.columns == expected.columns and found.columns["label"]
    assert list(found.rows) == list(range(1, len(rows) + 1))
    named = read_table(saved(tmp_path, rows, kind), base=tmp_path, format="chat") if kind == "parquet" else found
    assert named.columns == expected.columns
    raw = read_table("talks" if kind == "datasets" else "talks.parquet", base=tmp_path, format=kind)
    assert "label" not in raw.columns and set(raw.columns) == {name for row in rows for name in row}


def test_lists_of_roles_and_of_contents_are_messages_too(tmp_path: Path) -> None:
    rows = [{"messages": {"role": ["user", "assistant"], "content": ["你好", "嗨"]}}]
    assert read_table(saved(tmp_path, rows, "parquet"), base=tmp_path).columns == {"text": [[USER]], "label": ["嗨"]}


def test_other_columns_of_such_names_stay_as_they_are(tmp_path: Path) -> None:
    rows = [{"messages": "a text", "conversations": ["x"], "label": "yes"}, {"messages": "b", "label": "no"}]
    assert set(read_table(saved(tmp_path, rows, "parquet"), base=tmp_path).columns) == {
        "messages", "conversations", "label",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["parquet", "datasets"])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"messages": [USER, USER]}, r'row 2, column "messages": messages 1 and 2 are both of the user'),
        (
            {"messages": [USER, {"role": "assistant", "content": " "}]},
            r'row 2, column "messages": message 2: "content"',
        ),
        ({"messages": []}, r'row 2, column "messages": there are no messages'),
        ({"messages": None}, r"row 2: there is no conversation"),
        ({"messages": [USER]}, r"row 2: there is no answer, and other rows have one"),
    ],
)
def test_a_talk_that_is_none_is_named_by_its_row(tmp_path: Path, kind: str, bad: dict[str, Any], message: str) -> None:
    name = saved(tmp_path, [{"messages": [USER, ANSWER]}, bad], kind)
    with pytest.raises(DataError, match=f"^{re.escape(name)}, {message}"):
        read_table(name, base=tmp_path)
