"""`tuneloop deploy`, `rollback` and `deployments`: what is typed, what is printed, what the shell is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.releases import make_release
from tuneloop.cli.app import run
from tuneloop.core.paths import Workspace
from tuneloop.releases.deployment import deployed, keep_figures
from tuneloop.watch.canary import Comparison


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    found = Workspace(tmp_path / ".tuneloop")
    for number in (1, 2, 3):
        make_release(found, f"m-{number}")
    return found


def test_each_command_says_what_it_did_and_what_to_type_next(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["deployments"]) == 0
    assert "Nothing was deployed yet" in capsys.readouterr().err
    assert run(["deploy", "m-1", "--why", "the first"]) == 0
    assert "tuneloop rollback m" in capsys.readouterr().err
    assert run(["deploy", "m-2", "--shadow"]) == 0
    assert "tuneloop deploy m-2 --canary" in capsys.readouterr().err
    assert run(["deploy", "m-2", "--canary", "0.2"]) == 0
    assert "m-2 answers 20% of the requests, m-1 the others." in capsys.readouterr().err
    assert run(["rollback", "m"]) == 0
    assert "m-2 was taken out; m-1 answers" in capsys.readouterr().err
    assert run(["rollback", "m", "--why", "no good", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["current"], told["why"]) == ("rollback", "m-3", "no good")
    assert run(["deployments", "m"]) == 0
    assert "the first" in capsys.readouterr().out
    assert run(["deployments", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert [each["kind"] for each in found["history"]] == ["promote", "shadow", "canary", "abort", "rollback"]
    assert (found["current"], found["candidate"]) == ("m-3", None)


def test_a_change_may_depend_on_the_last_one(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deploy", "m-1", "--after", "0"]) == 0
    assert run(["deploy", "m-2", "--after", "0"]) == 2
    assert "was changed meanwhile" in capsys.readouterr().err
    assert run(["deployments", "m", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["change"] == 1
    assert run(["rollback", "m", "--after", "1"]) == 0


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_figures_of_a_canary_stand_side_by_side(
    language: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUNELOOP_LANG", language)
    assert run(["deploy", "m-1", "--canary", "0.5"]) == 0
    comparison = Comparison(0.05, 0.05)
    for number in range(40):
        comparison.note("current", "failed", False)
        comparison.note("candidate", "failed", number % 2 == 0)
    figures = {"criteria": comparison.to_json(), "median_ms": {"current": 1.5, "candidate": 2.5}, "shadow": None}
    candidate = deployed("m", workspace).candidate
    assert candidate is not None
    keep_figures(candidate.change, "here:8000", figures, workspace)
    assert run(["deployments"]) == 0
    shown = capsys.readouterr().out
    assert "50.0%" in shown and "here:8000" in shown
    assert {"en": "worse for certain", "zh": "确定变差"}[language] in shown
    assert "on all" not in shown and "合计" not in shown
    keep_figures(candidate.change, "there:8000", figures, workspace)
    assert run(["deployments"]) == 0
    shown = capsys.readouterr().out
    assert {"en": "m-1 on all 2 servers", "zh": "m-1，全部 2 台服务器合计"}[language] in shown
    assert run(["deployments", "--json"]) == 0
    together = json.loads(capsys.readouterr().out)[0]["together"]
    assert together["failed"]["candidate"] == {"asked": 80, "bad": 40, "share": 0.5}


def test_a_dry_run_changes_nothing(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["deploy", "m-1"], ["deploy", "m-1", "--canary", "0.1"], ["rollback", "m"]):
        assert run([*command, "--dry-run"]) == 0
        assert "Nothing was changed" in capsys.readouterr().err
    assert not workspace.deployments.exists()


REFUSED = {
    "no such release": (["deploy", "m-9"], "There is no release m-9"),
    "too large a share": (["deploy", "m-1", "--canary", "0.8"], "at most 0.5"),
    "no share": (["deploy", "m-1", "--canary", "0"], "at most 0.5"),
    "both at once": (["deploy", "m-1", "--canary", "0.1", "--shadow"], "cannot be a shadow too"),
    "a path": (["deploy", "../m-1"], "not a valid name"),
    "no such model": (["rollback", "nothing"], "There is no release nothing"),
    "no such model to show": (["deployments", "nothing"], "There is no release nothing"),
}


@pytest.mark.parametrize(("arguments", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_one_clear_error(
    arguments: list[str], says: str, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    complaint = capsys.readouterr().err
    assert says in complaint and len(complaint.strip().splitlines()) <= 2
    assert not workspace.deployments.exists()
