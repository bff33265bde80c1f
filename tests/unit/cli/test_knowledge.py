"""`tuneloop knowledge` from adding to removing, with a tiny random model."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

import tuneloop
from tuneloop.cli.app import run


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with documents, from which the commands are run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "one.md").write_text("# Leave\n\nThere are 28 days of leave a year.\n")
    (tmp_path / "docs" / "two.txt").write_text("The printer is in room 214.")
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    assert run(["knowledge", *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_the_whole_way(place: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = said(capsys, "add", "docs", "--encoder", str(tiny_model), "--quiet")
    assert done["added"] == ["docs/one.md", "docs/two.txt"]
    hits = said(capsys, "search", "days of leave", "-k", "1")
    assert hits[0]["document"] == "docs/one.md" and hits[0]["cosine"] is not None
    answer = said(capsys, "ask", "How many days of leave are there?", "--threshold", "0.1")
    assert answer["citations"][0]["quote"] == "There are 28 days of leave a year."
    (place / "docs" / "two.txt").unlink()
    assert said(capsys, "add", "docs", "--prune", "--quiet")["vanished"] == ["docs/two.txt"]
    assert [each["name"] for each in said(capsys, "list")["documents"]] == ["docs/one.md"]
    assert run(["knowledge", "remove", "docs"]) == 0
    assert said(capsys, "list")["documents"] == []
    with tuneloop.open_knowledge() as index:
        assert index.embedder is not None and index.search("leave") == []


def test_an_answer_shows_its_places_and_abstaining_is_said(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["knowledge", "add", "docs", "--encoder", "none", "-n", "words", "-q"]) == 0
    capsys.readouterr()
    assert run(["knowledge", "ask", "How many days of leave a year?", "-n", "words"]) == 0
    shown = capsys.readouterr().out
    assert "There are 28 days of leave a year. [1]" in shown and "[1] docs/one.md, Leave, 0-34" in shown
    assert run(["knowledge", "ask", "Who won the cup?", "-n", "words"]) == 0
    assert capsys.readouterr().out == "Nothing in the documents supports an answer.\n"


def test_a_failed_document_ends_with_2_and_the_others_are_in(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "docs" / "a.pdf").write_bytes(b"%PDF nonsense")
    done = said(capsys, "add", "docs", "--encoder", "none", "-q", code=2)
    assert list(done["failed"]) == ["docs/a.pdf"] and len(done["added"]) == 2


def test_a_folder_that_cannot_be_read_stops_and_removes_nothing(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "docs" / "deep").mkdir()
    (place / "docs" / "deep" / "three.txt").write_text("The lift is old.")
    added = said(capsys, "add", "docs", "--encoder", "none", "-q")["added"]
    scandir = os.scandir

    def locked(path: str) -> Any:
        if str(path).endswith("deep"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)  # for root, who runs some tests, no folder is unreadable
    assert run(["knowledge", "add", "docs", "--prune", "-q"]) == 2
    error = capsys.readouterr().err
    assert f"{place / 'docs' / 'deep'} cannot be read: Permission denied" in error and "Traceback" not in error
    monkeypatch.undo()
    monkeypatch.chdir(place)
    assert [each["name"] for each in said(capsys, "list")["documents"]] == sorted(added)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["search", "x"], "There is no index"),
        (["add", "nowhere", "--encoder", "none"], "There are no documents"),
        (["add", "docs", "--encoder", "none", "-n", "../up"], "not a valid name"),
        (["add", "docs", "--encoder", "none", "--size", "10"], "Chunks of 10 letters"),
        (["ask", "x", "--release", "r", "--model", "m"], "There is no release r"),
    ],
)
def test_mistakes_are_told(place: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    assert run(["knowledge", *arguments]) == 2
    assert says in capsys.readouterr().err
