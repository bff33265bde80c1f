from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.audited import hotel_rows, word_model
from tests.conftest import MadeUp
from tuneloop import api
from tuneloop.cli.app import run
from tuneloop.explain.causal import effects
from tuneloop.explain.counterfactual import counterfactuals
from tuneloop.explain.features import Phrase
from tuneloop.explain.global_words import overview as look
from tuneloop.explain.wording import learn_wording
from tuneloop.releases import scorecard


def test_the_command_asks_for_what_was_said_and_prints_every_class(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {}

    def effect(*given: str, **options: object) -> object:
        asked.update(options, given=given)
        return effects(word_model(), hotel_rows(40, seed=1), Phrase("good"), confounders=["length"])

    monkeypatch.setattr(api, "effect", effect)
    assert run(["effect", "hotel", "good", "--confounder", "length", "--rows", "40"]) == 0
    out, err = capsys.readouterr()
    assert asked["given"] == ("hotel", "good") and asked["kind"] == "phrase" and asked["confounders"] == ("length",)
    assert "yes" in out and "difference, adjusted" in out and "rows have good" in err


def test_two_kinds_of_feature_are_one_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["effect", "hotel", "good", "--regex", "--category"]) == 2
    assert "not both" in capsys.readouterr().err


def test_counterfactual_edits_and_an_overview_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = hotel_rows(100, seed=1)
    change = counterfactuals(word_model(), "good room", wording=learn_wording(rows))
    monkeypatch.setattr(api.effects, "counterfactual", lambda *_, **__: change)
    monkeypatch.setattr(api.effects, "overview", lambda *_, **__: look(word_model(), rows, rows))
    assert run(["counterfactual", "hotel", "good room"]) == 0
    assert "then it answers no" in capsys.readouterr().out
    assert run(["overview", "hotel"]) == 0
    out, err = capsys.readouterr()
    assert "+0." in out and "held-out rows" in out and "words were looked at" in err
    assert run(["overview", "hotel", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rules"]["rows"] == 100


def test_evidence_of_a_real_run(
    learnt: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(learnt("classification").engine.model.config._name_or_path).parent
    monkeypatch.setattr(scorecard, "find_snapshot", lambda *_: MadeUp("classification"))
    asked = ["evidence", folder.name, "a good b", "--label", "no", "--workspace", str(folder.parents[1])]
    assert run([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["nearest"]["answer"] == "yes" and found["nearest"]["seen"] == "vectors"
    assert found["influence"]["label"] == "no" and found["influence"]["harmful"][0]["label"] == "yes"
    assert run(asked) == 0
    assert "Rows that speak against no" in capsys.readouterr().out
