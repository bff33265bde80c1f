"""What is pretrained on: the texts that were named, each once, and nothing that a model is measured on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import DataError
from tuneloop.data.pretraining_texts import pretraining_texts


def config(**pretraining: object) -> RunConfig:
    return parse_config({"data": {"source": "x.csv"}, "pretraining": pretraining})


def write(path: Path, texts: list[str], column: str = "text") -> str:
    path.write_text("\n".join(json.dumps({column: text}) for text in texts))
    return path.name


def test_without_a_file_the_train_split_is_read(made_up: Any) -> None:
    data = made_up("classification")
    found = pretraining_texts(config(keep_test_unseen=False), data, base=Path())
    assert {*found.train, *found.dev} == {*data.split("train").texts}
    assert len(found.dev) == round(0.05 * len({*data.split("train").texts})) and not {*found.train} & {*found.dev}


def test_both_texts_of_a_pair_are_read(made_up: Any) -> None:
    found = pretraining_texts(config(keep_test_unseen=False), made_up("pair"), base=Path())
    assert "a b" in [*found.train, *found.dev]


def test_what_nearly_equals_a_test_text_is_left_out(made_up: Any, tmp_path: Path) -> None:
    data = made_up("classification")
    test, dev = data.split("test").texts[0], data.split("dev").texts[0]
    new = [f"another sentence with number {number} in it" for number in range(20)]
    source = write(tmp_path / "plain.jsonl", [*new, test.upper(), f" {dev} ", new[0]])
    found = pretraining_texts(config(texts=source), data, base=tmp_path)
    assert {*found.train, *found.dev} == {*new} and found.left_out == 2
    all_of_them = pretraining_texts(config(texts=source, keep_test_unseen=False), None, base=tmp_path)
    assert len(all_of_them.train) + len(all_of_them.dev) == 22 and all_of_them.left_out == 0


def test_neither_the_order_nor_the_format_of_the_file_matters(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(40)]
    (tmp_path / "plain.txt").write_text("\n\n".join(reversed(texts)))
    sources = [write(tmp_path / "plain.jsonl", texts), "plain.txt"]
    one, other = (
        pretraining_texts(config(texts=source, keep_test_unseen=False), None, base=tmp_path) for source in sources
    )
    assert one == other and one.hash == other.hash and len(one.dev) == 2


def test_texts_that_are_missing_are_one_clear_error(tmp_path: Path) -> None:
    wanted = {"keep_test_unseen": False}
    with pytest.raises(DataError, match="There is no data at"):
        pretraining_texts(config(texts="nowhere.txt", **wanted), None, base=tmp_path)
    source = write(tmp_path / "plain.jsonl", ["a", "b"], column="body")
    with pytest.raises(DataError, match='no column "text"') as refused:
        pretraining_texts(config(texts=source, **wanted), None, base=tmp_path)
    assert "pretraining.column" in refused.value.hint
    with pytest.raises(DataError, match="fewer than two different texts"):
        pretraining_texts(config(texts=write(tmp_path / "same.jsonl", ["a", "a"]), **wanted), None, base=tmp_path)
