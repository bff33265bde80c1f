"""All benchmarks in one command: one that fails stops no other, and what was interrupted goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.registry import BENCHMARKS, Benchmark

NAMES = list(BENCHMARKS)
ENDS: dict[str, BaseException] = {}
"""What a benchmark ends with, by its name."""


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were measured, each of which ends as `ENDS` says."""
    found: list[str] = []

    def measure(name: str, _: Benchmark) -> None:
        found.append(name)
        if error := ENDS.get(name):
            raise error

    monkeypatch.setattr(command, "_measure", measure)
    for page in ("docs.write", "report.write"):
        monkeypatch.setattr(f"benchmarks.{page}", lambda: None)
    ENDS.clear()
    return found


def test_one_that_fails_stops_no_other_and_can_be_measured_again(
    measured: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = tmp_path / "cache" / "left.json"
    ENDS[NAMES[1]] = ValueError("no peer")
    assert command.main([], left=left) == 1
    told = capsys.readouterr().err
    assert measured == NAMES and "ValueError: no peer" in told and f"failed, see above: {NAMES[1]}" in told
    assert json.loads(left.read_text()) == [NAMES[1]]
    measured.clear(), ENDS.clear()
    assert command.main(["--resume"], left=left) == 0
    assert measured == [NAMES[1]] and not left.exists()


def test_what_was_interrupted_goes_on_with_the_line_that_was_cut(
    measured: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = tmp_path / "left.json"
    ENDS[NAMES[2]] = KeyboardInterrupt()
    assert command.main([], left=left) == 130 and measured == NAMES[:3]
    assert "--resume" in capsys.readouterr().out
    ENDS.clear()
    assert command.main(["--resume"], left=left) == 0 and measured == NAMES[:3] + NAMES[2:]


def test_named_ones_leave_what_is_left_as_it_is(measured: list[str], tmp_path: Path) -> None:
    left = tmp_path / "left.json"
    left.write_text(json.dumps(NAMES[3:]))
    assert command.main([NAMES[0]], left=left) == 0 and measured == [NAMES[0]]
    assert json.loads(left.read_text()) == NAMES[3:]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "no benchmark called nothing"),
        (["--resume"], "nothing is left"),
        (["--resume", NAMES[0]], "takes no names"),
    ],
)
def test_what_cannot_be_measured_is_said(
    measured: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit):
        command.main(arguments, left=tmp_path / "left.json")
    assert said in capsys.readouterr().err and not measured
