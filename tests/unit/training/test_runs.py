"""The list of runs is quick, tells what is at work, and stops only what is its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tuneloop.core.errors import TrainingError
from tuneloop.core.lock import holder
from tuneloop.core.paths import Workspace
from tuneloop.training.run import open_run
from tuneloop.training.runs import run_rows, stop

NAME = "mood-20260101-000000-aaaa"
HOLD = """
import signal, sys
from pathlib import Path
from tuneloop.core.lock import locked
signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
with locked(Path(sys.argv[-1])):
    print("held", flush=True)
    sys.stdin.read()
"""
"""A program that keeps the lock of a folder until it is asked to stop."""


def write_run(root: Path, name: str = NAME, **info: object) -> Path:
    folder = root / "runs" / name
    folder.mkdir(parents=True)
    known = {"status": "unfinished", "snapshot_hash": "f" * 64, "metric": "macro_f1", "planned_steps": 8}
    (folder / "run.json").write_text(json.dumps(known | info))
    (folder / "config.yaml").write_text("seed: 3\nmethod:\n  type: lora\ndata:\n  source: x.csv\n")
    rows = [{"step": 2, "loss": 1.0}, {"step": 2, "dev_macro_f1": 0.5}, {"step": 4, "dev_macro_f1": 0.4}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts programs that hold a run's lock, and ends them."""
    started = []

    def start(folder: Path, *, as_command: bool) -> subprocess.Popen[str]:
        script = tmp_path / ("tuneloop" if as_command else "program.py")
        script.write_text(HOLD)
        words = [sys.executable, str(script), str(folder)]
        started.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout and started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


def test_a_list_tells_what_each_run_was_made_with_and_how_good_it_is(tmp_path: Path) -> None:
    write_run(tmp_path, started="2026-01-01T00:00:00+00:00")
    newer = "mood-20260102-000000-bbbb"
    write_run(
        tmp_path,
        newer,
        status="finished",
        best_dev={"mcc": 0.9},
        steps=8,
        started="2026-01-02T00:00:00+00:00",
        metric="",
    )
    write_run(tmp_path, "Not Ours", status="finished")
    (tmp_path / "runs" / "damaged").mkdir()
    (tmp_path / "runs" / "damaged" / "run.json").write_text("{")
    first, second = run_rows(Workspace(tmp_path))
    assert (first.id, first.state, first.metric, first.best, first.steps) == (newer, "finished", "mcc", 0.9, (8, 8))
    assert (second.state, second.method, second.seed, second.best, second.steps) == ("stopped", "lora", 3, 0.5, (4, 8))
    assert second.data == f"x.csv ({'f' * 12})"


def test_a_run_at_work_is_known_by_its_lock_and_stopped_by_who_holds_it(
    tmp_path: Path, hold: Callable[..., subprocess.Popen[str]]
) -> None:
    folder = write_run(tmp_path)
    run = open_run(NAME, Workspace(tmp_path))
    assert holder(folder) is None
    with pytest.raises(TrainingError, match="No process is at the run"):
        stop(run)
    process = hold(folder, as_command=True)
    assert holder(folder) == process.pid
    assert run_rows(Workspace(tmp_path))[0].state == "working"
    assert stop(run) == process.pid
    assert process.wait(30) == 130
    assert holder(folder) is None
    assert run_rows(Workspace(tmp_path))[0].state == "stopped"


def test_a_program_of_someones_own_is_not_stopped(tmp_path: Path, hold: Callable[..., subprocess.Popen[str]]) -> None:
    folder = write_run(tmp_path)
    process = hold(folder, as_command=False)
    with pytest.raises(TrainingError, match=f"other than the tuneloop command .process {process.pid}") as told:
        stop(open_run(NAME, Workspace(tmp_path)))
    assert "Ctrl-C" in told.value.hint
    assert process.poll() is None


def test_a_process_that_lost_the_lock_meanwhile_is_left_alone(
    tmp_path: Path, hold: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run(tmp_path)
    process = hold(folder, as_command=True)
    told = iter([process.pid, None])
    monkeypatch.setattr("tuneloop.training.runs.holder", lambda _: next(told))
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *_: pytest.fail("it was signalled"))
    stop(open_run(NAME, Workspace(tmp_path)))
    assert process.poll() is None


def test_who_asks_whether_it_is_held_does_not_hold_it(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    (folder / "lock").touch()
    before = (folder / "lock").stat().st_mtime_ns
    assert holder(folder) is None
    assert (folder / "lock").stat().st_mtime_ns == before
