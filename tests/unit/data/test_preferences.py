"""Pairs of answers as OpenAI and TRL keep them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuneloop.core.errors import DataError
from tuneloop.data.guess import guess
from tuneloop.data.readers import read_table

USER = {"role": "user", "content": "hello"}
KIND, COLD = ({"role": "assistant", "content": text} for text in ("hi there", "what"))
SYSTEM = {"role": "system", "content": "be kind"}

LAYOUTS: dict[str, tuple[dict[str, Any], Any]] = {
    "texts": ({"prompt": "hello", "chosen": "hi there", "rejected": "what"}, "hello"),
    "messages": ({"messages": [SYSTEM, USER], "chosen": "hi there", "rejected": "what"}, [SYSTEM, USER]),
    "lists": ({"prompt": [USER], "chosen": [KIND], "rejected": [COLD]}, [USER]),
    "one message": ({"messages": [USER], "chosen": KIND, "rejected": COLD}, [USER]),
    "implicit": ({"chosen": [SYSTEM, USER, KIND], "rejected": [SYSTEM, USER, COLD]}, [SYSTEM, USER]),
    "both": ({"prompt": "hello", "chosen": [USER, KIND], "rejected": [USER, COLD]}, [USER]),
    "system": ({"system": "be kind", "prompt": "hello", "chosen": "hi there", "rejected": "what"}, [SYSTEM, USER]),
    "system beside messages": (
        {"system": "be kind", "chosen": [USER, KIND], "rejected": [USER, COLD]},
        [SYSTEM, USER],
    ),
    "system twice": (
        {"system": "be cold", "prompt": [SYSTEM, USER], "chosen": "hi there", "rejected": "what"},
        [SYSTEM, USER],
    ),
    "no system": ({"system": "", "prompt": "hello", "chosen": "hi there", "rejected": "what"}, "hello"),
    "openai": (
        {"input": {"messages": [USER], "tools": []}, "preferred_output": [KIND], "non_preferred_output": [COLD]},
        [USER],
    ),
}


def write(folder: Path, rows: list[Any]) -> str:
    (folder / "pairs.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return "pairs.jsonl"


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_known_by_its_head(tmp_path: Path, name: str) -> None:
    row, prompt = LAYOUTS[name]
    table = read_table(write(tmp_path, [row | {"source": "x"}] * 2), base=tmp_path)
    assert table.columns == {
        "text": [prompt] * 2, "label": ["hi there"] * 2, "rejected": ["what"] * 2, "source": ["x"] * 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "hello", "chosen": "hi"}, '"rejected" is no answer'),
        ({"prompt": "hello", "chosen": "hi", "rejected": " "}, '"rejected" is no answer'),
        ({"chosen": "hi", "rejected": "no"}, "there is no prompt"),
        ({"prompt": [USER], "chosen": [KIND], "rejected": [USER]}, "does not end with the assistant"),
        ({"chosen": [USER, KIND], "rejected": [SYSTEM, USER, COLD]}, "do not begin alike"),
        ({"prompt": "hello"}, "there is no pair of answers"),
    ],
)
def test_what_is_no_pair_is_named_with_its_row(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    name = write(tmp_path, [LAYOUTS["texts"][0], row])
    with pytest.raises(DataError, match="pairs.jsonl, row 2.*" + reason):
        read_table(name, base=tmp_path, format="preferences")


def test_another_worse_answer_makes_another_row(tmp_path: Path, build: Any) -> None:
    asked = [f"{number * 7919:x} {number**3:o} {number * 104729:b}" for number in range(1, 41)]
    rows = [{"prompt": each, "chosen": "yes, of course", "rejected": "no"} for each in asked]
    more = [rows[0] | {"rejected": worse} for worse in ("never", "go away", "no", "no ")]
    for duplicates, kept in (("near", 42), ("exact", 42), ("keep", 44)):
        snapshot = build(write(tmp_path, rows + more), task="generation", clean={"duplicates": duplicates})
        splits = [snapshot.split(name) for name in ("train", "dev", "test")]
        found = [
            (text, worse) for each in splits for text, worse in zip(each.texts, each.columns["rejected"], strict=True)
        ]
        assert len(found) == kept
        assert {worse.strip() for text, worse in found if text == asked[0]} == {"no", "never", "go away"}
        assert sum(asked[0] in each.texts for each in splits) == 1


@pytest.mark.parametrize("name", ["texts", "lists"])
def test_pairs_of_answers_ask_for_dpo(tmp_path: Path, name: str) -> None:
    found = guess(write(tmp_path, [LAYOUTS[name][0]] * 3), base=tmp_path)
    assert found.settings("pairs.jsonl")["method"] == "dpo"
    assert (found.task, found.columns.text, found.columns.label) == ("generation", "text", "label")
