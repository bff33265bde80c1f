"""Curves are read as they grow, thinned without losing a peak, and tell when a run will end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tuneloop.training.curves import Curves
from tuneloop.training.logs import METRICS


def write(folder: Path, rows: list[dict[str, float]], *, more: str = "") -> None:
    (folder / METRICS).write_text("".join(json.dumps(row) + "\n" for row in rows) + more)


def losses(last: int, *, plus: float = 0.0) -> list[dict[str, float]]:
    return [{"step": step, "loss": step + plus} for step in range(1, last + 1)]


def test_a_line_that_is_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    curves = Curves(tmp_path)
    assert not curves.read()
    write(tmp_path, [*losses(2), {"step": 2, "dev_accuracy": 0.5}], more='{"step": 3, "lo')
    assert curves.read()
    assert curves.points("loss") == [(1, 1.0), (2, 2.0)]
    assert curves.points("dev_accuracy") == [(2, 0.5)]
    write(tmp_path, [*losses(2), {"step": 2, "dev_accuracy": 0.5}, {"step": 3, "loss": 3.0}])
    assert curves.read()
    assert curves.points("loss")[-1] == (3, 3.0)
    assert not curves.read()


def test_a_resumed_run_shows_its_own_steps_once(tmp_path: Path) -> None:
    curves = Curves(tmp_path)
    write(tmp_path, losses(9))
    curves.read()
    write(tmp_path, losses(4, plus=0.5))  # cut back to the checkpoint
    curves.read()
    assert curves.points("loss") == [(step, step + 0.5) for step in range(1, 5)]
    longer = [{"step": step, "loss": 1000000.25} for step in range(1, 9)]
    write(tmp_path, longer)
    curves.read()  # cut back and grown beyond the place of the last reading
    assert curves.points("loss") == [(step, 1000000.25) for step in range(1, 9)]


def test_what_is_no_number_is_left_out_and_so_is_a_damaged_line(tmp_path: Path) -> None:
    curves = Curves(tmp_path)
    lines = ['{"step": 1, "loss": NaN}', '{"step": 2, "loss": 1.0}', "{", "[]", '{"step": 3, "loss": "x"}']
    (tmp_path / METRICS).write_text("\n".join([*lines, '{"step": 1, "loss": 5}', '{"step": 4, "loss": 2}', ""]))
    curves.read()
    assert curves.points("loss") == [(2, 1.0), (4, 2.0)]


def test_a_long_curve_is_thinned_and_keeps_its_peaks(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random(30_000)
    values[12_345], values[23_456] = 50.0, -50.0
    write(tmp_path, [{"step": step, "loss": value} for step, value in enumerate(values.tolist(), 1)])
    curves = Curves(tmp_path)
    curves.read()
    points = curves.points("loss")
    assert 1000 <= len(points) <= 2000
    assert {(12_346, 50.0), (23_457, -50.0)} <= set(points)
    assert points == sorted(points)


def test_the_time_left_is_told_by_the_process_at_work_and_not_by_the_pause_before(tmp_path: Path) -> None:
    now = 0.0
    curves = Curves(tmp_path, clock=lambda: now)
    write(tmp_path, losses(10))
    curves.read()
    now = 1000.0  # nobody was at it
    for worker in (7, 8):
        curves.read(worker=worker)
        assert curves.seconds_left(100) is None
        step = curves.step
        for _ in range(3):
            now, step = now + 2, step + 4
            write(tmp_path, losses(step))
            curves.read(worker=worker)
        assert curves.seconds_left(step + 10) == 5.0
        now += 500
