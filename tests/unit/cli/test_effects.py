from __future__ import annotations

import pytest

from tests.audited import hotel_rows, word_model
from tuneloop import api
from tuneloop.cli.app import run
from tuneloop.explain.causal import effects
from tuneloop.explain.features import Phrase


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
