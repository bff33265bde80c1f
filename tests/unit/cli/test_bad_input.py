"""Bad input of every kind: one clear error with place and remedy, exit code 2, nothing saved is harmed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tuneloop.cli.app import run

HEADER = "text,label\n"
ROWS = "".join(
    f"a {word} thing number {n},{label}\n" for n in range(30) for word, label in (("good", "p"), ("bad", "n"))
)
CSV = HEADER + ROWS


@dataclass(frozen=True)
class Case:
    """A data file, settings, and what the error must name."""

    content: str | bytes
    says: str
    name: str = "reviews.csv"
    yaml: str = ""


def many(row: str, at: int = 5) -> str:
    """The good file with `row` put in as data row `at`."""
    lines = CSV.splitlines(keepends=True)
    return "".join([*lines[:at], row + "\n", *lines[at:]])


CASES = {
    "empty file": Case("", "reviews.csv"),
    "header only": Case(HEADER, "reviews.csv has no rows"),
    "missing column": Case(CSV.replace("text,label", "text,lable"), 'no column "label"'),
    "the nearest column is suggested": Case(CSV.replace("text,label", "text,lable"), "Did you mean lable"),
    "one class only": Case(HEADER + ROWS.replace(",n\n", ",p\n"), "class"),
    "ragged row": Case(many("only one field"), "row 6 has 1"),
    "too many fields": Case(many("a,b,c"), "row 6 has 3"),
    "empty label": Case(many("a text,"), "reviews.csv, row 6"),
    "blank label": Case(many("a text,   "), "row 6"),
    "NaN label": Case(many("a text,NaN"), "row 6"),
    "NaN label in JSON": Case(
        "".join(json.dumps({"text": f"t{n}", "label": "p"}) + "\n" for n in range(5)) + '{"text": "x", "label": NaN}\n',
        "row 6", name="reviews.jsonl",
    ),
    "broken JSON line": Case('{"text": "a", "label": "p"}\n{"text": "b", "label"\n', "row 2", name="reviews.jsonl"),
    "JSON array": Case('[{"text": "a", "label": "p"}]', "reviews.jsonl", name="reviews.jsonl"),
    "deep JSON": Case("[" * 10_000, "reviews.jsonl", name="reviews.jsonl"),
    "repeated JSON key": Case('{"text": "a", "text": "b", "label": "p"}\n', "text", name="reviews.jsonl"),
    "a text of 5 MB": Case(many("x" * 5_000_000 + ",p"), "row 6"),
    "NUL bytes": Case(many("a\x00b,p"), "reviews.csv, line 6"),
    "mixed encodings": Case(CSV.encode() + "好的,p\n".encode() + "café,n\n".encode("latin-1"), "reviews.csv"),
    "unclosed quote": Case(many('"never closed,p'), "row"),
    "Excel under a false name": Case(b"PK\x03\x04" + bytes(100), "Excel"),
    "truncated Parquet": Case(b"PAR1" + bytes(50), "reviews.parquet", name="reviews.parquet"),
    "repeated column": Case("text,text,label\na,b,p\n", "text"),
    "not a number": Case(CSV, "is not a number", yaml="task: regression\n"),
    "unknown setting": Case(CSV, "Did you mean learning_rate", yaml="training: {learning_rat: 1}\n"),
    "unknown setting, its line": Case(CSV, "line 2", yaml="training: {learning_rat: 1}\n"),
    "unknown task": Case(CSV, "Did you mean classification", yaml="task: classificaton\n"),
    "unknown option of a task": Case(
        CSV, "Did you mean label_smoothing", yaml="task: {type: classification, label_smoothin: 1}\n"
    ),
    "an impossible value": Case(CSV, "training.epochs", yaml="training: {epochs: -1}\n"),
    "broken YAML": Case(CSV, "not valid YAML", yaml="training: {epochs: [1\n"),
    "splits that leave nothing": Case(CSV, "leave nothing"),
    "too few rows": Case(HEADER + "a,p\nb,n\n", "only 2 are left"),
    "a model that is not there": Case(CSV, "no-such-folder", yaml="model: {source: ./no-such-folder}\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_bad_input_is_one_clear_error(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    data = case.content if isinstance(case.content, bytes) else case.content.encode()
    (tmp_path / case.name).write_bytes(data)
    split = "{dev: 0.5, test: 0.5}" if case.says == "leave nothing" else "{dev: 0.2, test: 0.2}"
    (tmp_path / "tuneloop.yaml").write_text(f"data: {{source: {case.name}, split: {split}}}\n{case.yaml}")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}

    code = run(["tune", "--quiet"])

    complaint = capsys.readouterr().err
    assert code == 2, complaint
    assert case.says in complaint
    assert "Traceback" not in complaint
    assert 1 <= len(complaint.strip().splitlines()) <= 3
    assert len(complaint) < 1500
    assert not list(tmp_path.glob(".tuneloop/runs/*"))
    assert not list(tmp_path.glob(".tuneloop/snapshots/.tmp*"))
    assert {path: path.read_bytes() for path in before} == before


def test_a_dev_label_that_train_lacks_names_row_and_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reviews.csv").write_text(CSV)
    (tmp_path / "dev.csv").write_text(HEADER + "one,p\ntwo,neutral\nthree,n\n")
    (tmp_path / "tuneloop.yaml").write_text("data: {source: reviews.csv, dev: dev.csv}\n")
    assert run(["tune", "-q"]) == 2
    complaint = capsys.readouterr().err
    assert "dev.csv" in complaint and "row 3" in complaint and "neutral" in complaint


COMMANDS: dict[str, tuple[list[str], str]] = {
    "no configuration": (["tune"], "tuneloop init"),
    "no data file": (["init", "nothing.csv"], "nothing.csv"),
    "no release": (["releases", "show", "nothing"], "tuneloop releases list"),
    "no run": (["release", "nothing"], "There is no run nothing"),
    "a path as a release": (["releases", "show", "../../etc"], "valid name"),
    "no release to serve": (["serve", "nothing"], "There is no release"),
    "half a setting": (["check", "--set", "training.epochs"], "--set training.epochs"),
}


@pytest.mark.parametrize(("arguments", "says"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_that_cannot_be_done_says_what_to_do(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    complaint = capsys.readouterr().err
    assert says in complaint
    assert len(complaint.strip().splitlines()) <= 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_unexpected_fault_is_ours_and_exit_code_1(
    language: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tuneloop.core import machine

    def broken(folder: Path) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setenv("TUNELOOP_LANG", language)
    monkeypatch.setattr(machine, "look", broken)
    assert run(["doctor"]) == 1
    complaint = capsys.readouterr().err
    assert "ZeroDivisionError" in complaint and "--debug" in complaint and "Traceback" not in complaint
    assert run(["--debug", "doctor"]) == 1
    assert "Traceback" in capsys.readouterr().err
