"""What the command line and the Python door tell of events."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

import tuneloop as tl
from tuneloop.cli.app import run
from tuneloop.core.errors import DataError, TuneloopError
from tuneloop.core.paths import Workspace
from tuneloop.watch.base import Event, Feedback
from tuneloop.watch.sqlite_store import SqliteStore
from tuneloop.watch.times import moment

DAY_S = 86_400


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five events, a day apart, the newest now; feedback on two."""
    monkeypatch.chdir(tmp_path)
    store, now = SqliteStore(Workspace(tmp_path / "w").events), time.time()
    for number in range(5):
        at = now - (4 - number) * DAY_S
        text = "a text" if number else None
        store.add_events([Event(f"r{number}.0", at, f"m-{number % 2}", "0f" * 16, "yes", 0.75, text=text)])
    store.add_feedback(
        [Feedback("a", "r0.0", "no", None, now - 4 * DAY_S, "ann"), Feedback("b", "r3.0", None, True, now)]
    )
    store.close()
    return tmp_path / "w"


def test_events_are_listed_oldest_first_and_by_time_and_release(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["events", "list", "-w", str(workspace), "--last", "3"]) == 0
    out, err = capsys.readouterr()
    assert "events 5, feedback 2" in err and "0.750" in out
    assert out.index("r2.0") < out.index("r3.0") < out.index("r4.0") and "r1.0" not in out
    assert run(["events", "list", "-w", str(workspace), "--since", "36h", "--release", "m-1", "--json"]) == 0
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == ["r3.0"]
    assert [each.id for each in tl.events(workspace, until="36h")] == ["r0.0", "r1.0", "r2.0"]


def test_feedback_is_listed_with_what_was_answered(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["events", "feedback", "-w", str(workspace)]) == 0
    out = capsys.readouterr().out
    assert "ann" in out and "the answer" in out and out.index("r0.0") < out.index("r3.0")
    assert run(["events", "feedback", "-w", str(workspace), "--json", "--last", "1"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["feedback"]["key"], found["event"]["id"]) == ("b", "r3.0")
    assert [(said.label, about.label) for said, about in tl.feedback(workspace, release="m-0")] == [("no", "yes")]


def test_old_events_are_removed_and_counted(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["events", "prune", "-w", str(workspace), "--keep-days", "0.5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"removed": 3}
    assert [each.id for each in tl.events(workspace)] == ["r3.0", "r4.0"]  # one has feedback of today


def test_what_cannot_be_read_is_one_clear_error(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["events", "list", "-w", str(tmp_path / "none")]) == 2
    assert "Set watch.events" in capsys.readouterr().err and not (tmp_path / "none").exists()
    assert run(["events", "list", "-w", str(workspace), "--since", "yesterday"]) == 2
    assert "no moment" in capsys.readouterr().err
    for store in ("postgresql://me:secret@db/events", "mysql://db"):
        with pytest.raises(TuneloopError) as caught:
            list(tl.events(workspace, store=store))
        assert "secret" not in str(caught.value)


def test_moments_are_utc_unless_they_say_otherwise() -> None:
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()
    assert moment("2026-01-31T12:00") == moment("2026-01-31T13:00+01:00") == moment(noon) == noon
    assert (
        moment("2026-01-31") == noon - DAY_S / 2 and moment("24h", now=noon) == moment("1d", now=noon) == noon - DAY_S
    )
    assert moment(datetime(2026, 1, 31, 12)) == noon and moment(None) is None
    assert moment(datetime(2026, 1, 31, 13, tzinfo=timezone(timedelta(hours=1)))) == noon
    with pytest.raises(DataError, match="2026-31-01"):
        moment("2026-31-01")
