"""`tuneloop pretrain`, from a file of plain lines to an encoder that the next command names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuneloop.cli.app import run

CONFIG = """
data: {source: labelled.csv, clean: {duplicates: exact}}
training: {precision: fp32, report_to: []}
pretraining: {source: scratch, layers: 1, hidden: 8, heads: 2, vocabulary: 60, max_tokens: 16, epochs: 1}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tuneloop.yaml").write_text(CONFIG)
    rows = [
        f"sentence {letter} {letter * 3},{'good' if number % 2 else 'bad'}"
        for number, letter in enumerate("abcdefghij" * 3)
    ]
    (tmp_path / "labelled.csv").write_text("\n".join(["text,label", *dict.fromkeys(rows)]))
    (tmp_path / "plain.txt").write_text("\n".join(f"a line with {number} in it" for number in range(50)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_train_split_is_read_where_no_file_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pretrain", "-q", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["path"].endswith(".tuneloop/encoders/encoder") and Path(made["path"], "config.json").is_file()
    assert made["texts"] == {"train": 7, "dev": 1, "left_out": 0}


def test_it_tells_the_next_command_and_that_a_name_is_taken(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["--set", "pretraining.texts=plain.txt", "--set", "pretraining.name=lines"]
    assert run(["pretrain", "-q", *lines]) == 0
    said = capsys.readouterr().err
    assert (
        "2 texts held out" in said
        and "tuneloop tune --set model.source=.tuneloop/encoders/lines --set model.pooling=mean" in said
    )
    assert run(["pretrain", "-q", *lines, "--set", "seed=1"]) == 2
    assert "Choose another pretraining.name" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_the_users_mistake(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pretrain", "-q", "--set", "pretraining.texts=plane.txt"]) == 2
    assert "Did you mean plain.txt?" in capsys.readouterr().err
    assert not (folder / ".tuneloop" / "encoders").exists()
