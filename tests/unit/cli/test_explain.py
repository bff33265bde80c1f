"""`tuneloop explain` on a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.cli.app import run


@pytest.fixture
def at(learnt: Callable[[str], Any]) -> Callable[[str], list[str]]:
    """The run that has learnt a task, and its workspace, as arguments."""

    def arguments(task: str) -> list[str]:
        folder = Path(learnt(task).engine.model.config._name_or_path).parent
        return [folder.name, "--workspace", str(folder.parents[1])]

    return arguments


def test_words_are_shown_with_numbers_and_written_as_a_page(
    at: Callable[[str], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *where = at("classification")
    assert run(["explain", name, "a good <b> b", "--target", "yes", "--html", str(tmp_path / "p.html"), *where]) == 0
    shown = capsys.readouterr().out
    assert "good(+" in shown and "++++" in shown and "The probability of yes" in shown
    assert "&lt;b&gt;" in (tmp_path / "p.html").read_text(encoding="utf-8")
    assert run(["explain", name, "a good b", "-m", "integrated_gradients", "--json", *where]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["method"] == "integrated_gradients" and len(found["units"]) == 3


def test_pairs_numbers_and_phrases(at: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    name, *where = at("pair_regression")
    command = ["explain", name, "a good, b", "--pair", "a b", "--set", "unit=phrase", "--json", *where]
    assert run(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(unit["text"], unit["part"]) for unit in found["units"]] == [
        ("a good,", "text"), ("b", "text"), ("a b", "pair"),
    ]  # fmt: skip
    assert found["scale"] == "value"


def test_mistakes_are_told(at: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    name, *where = at("classification")
    for more in (["-m", "shaply"], ["--target", "maybe"], ["--set", "unti=word"], ["--pair", "b"]):
        assert run(["explain", name, "a good b", *more, *where]) == 2
    complaints = capsys.readouterr().err
    assert "Did you mean shapley?" in complaints and "Choose one of: no, yes." in complaints
