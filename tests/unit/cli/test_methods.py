"""`tuneloop methods`."""

from __future__ import annotations

import json

import pytest

from tuneloop.cli.app import run
from tuneloop.methods import METHODS


def test_it_lists_every_method_and_the_tasks_it_goes_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["methods", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in found] == METHODS.names()
    assert run(["methods"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in METHODS.names())


def test_a_task_leaves_out_what_makes_no_sense_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["methods", "--task", "tagging", "--json"]) == 0
    names = {each["name"] for each in json.loads(capsys.readouterr().out)}
    assert {"full", "lora"} <= names and not {"probe", "contrastive"} & names


def test_one_method_is_shown_with_its_options_and_its_refusals(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["methods", "distill"]) == 0
    shown = capsys.readouterr().out
    assert "teacher" in shown and "needed" in shown
    assert "- tagging: method distill needs" in shown


@pytest.mark.parametrize("arguments", [["methods", "lorra"], ["methods", "--task", "tagginng"]])
def test_a_wrong_name_is_refused_with_the_nearest(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "Did you mean" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--lang", "en", "methods"], ["methods", "--lang", "en"], ["methods", "--lang=en"]]
)
def test_the_language_may_stand_before_and_behind_the_command(arguments: list[str]) -> None:
    assert run(arguments) == 0
