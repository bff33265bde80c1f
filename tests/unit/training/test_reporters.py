"""Curves in TensorBoard and Weights & Biases: each step once, also after a kill."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tuneloop.core.errors import MissingExtraError
from tuneloop.training.logs import MetricsLog
from tuneloop.training.reporters import open_reporters


def curve(folder: Path, tag: str) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    return [(event.step, pytest.approx(event.value)) for event in events.Scalars(tag)]


def test_a_resumed_curve_has_every_step_once(tmp_path: Path) -> None:
    first = MetricsLog(tmp_path, keep_bytes=0, reporters=open_reporters(["tensorboard"], tmp_path, done=0))
    for step in (1, 2):
        first.write({"step": step, "loss": float(step)})
    kept_bytes = first.flush()
    for step in (3, 4):
        first.write({"step": step, "loss": 99.0})
    first.flush()  # killed here: never closed
    again = MetricsLog(tmp_path, keep_bytes=kept_bytes, reporters=open_reporters(["tensorboard"], tmp_path, done=2))
    for step in (3, 4):
        again.write({"step": step, "loss": float(step)})
    again.write({"step": 4, "dev_macro_f1": 0.5})
    again.close()
    assert curve(tmp_path, "train/loss") == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert curve(tmp_path, "dev/macro_f1") == [(4, 0.5)]
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 4]


def test_wandb_writes_offline_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "wandb-home"))
    folder = tmp_path / "mood-1"
    folder.mkdir()
    (folder / "config.yaml").write_text("seed: 7\n")
    log = MetricsLog(folder, keep_bytes=0, reporters=open_reporters(["wandb"], folder, done=0))
    log.write({"step": 1, "loss": 0.5})
    log.write({"step": 1, "dev_macro_f1": 0.6})
    log.close()
    wandb.teardown()  # its own process has then written everything
    (written,) = folder.glob("wandb/offline-run-*/run-mood-1.wandb")
    content = written.read_bytes()
    assert b"train/loss" in content
    assert b"dev/macro_f1" in content


def test_without_wandb_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingExtraError, match="wandb"):
        open_reporters(["wandb"], tmp_path, done=0)
