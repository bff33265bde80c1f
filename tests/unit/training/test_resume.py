"""kill -9 at any moment, then resume: the same bits as a run that nobody disturbed."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tuneloop.core.errors import TrainingError
from tuneloop.training import checkpoint

PROGRAM = Path(__file__).with_name("tiny.py")
spec = importlib.util.spec_from_file_location("tiny", PROGRAM)
tiny = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tiny)


def start(folder: Path, kill: str, ema: str = "0") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRAM), str(folder), kill, ema]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


# 8 steps an epoch, a checkpoint every 3: first step, mid-epoch 1, last of epoch 1, epochs 2 and 3
@pytest.mark.parametrize("kills", [["1", "5"], ["8", "13"], ["save:9", "save:18"], ["save:3", "22"]])
def test_a_killed_run_resumes_to_the_same_bits(tmp_path: Path, kills: list[str]) -> None:
    undisturbed = start(tmp_path / "whole", "never")
    assert undisturbed.returncode == 0, undisturbed.stderr
    for kill in kills:
        assert start(tmp_path / "killed", kill).returncode == -signal.SIGKILL
    resumed = start(tmp_path / "killed", "never")
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout == undisturbed.stdout
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "whole")


@pytest.mark.parametrize("step", [2, 8, 9, 17, 23, 24])
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_an_interrupt_at_any_step_changes_nothing(
    tmp_path: Path, step: int, ema: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny.run(tmp_path / "whole", ema=ema)

    def interrupt(pid: int, number: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tiny.os, "kill", interrupt)
        with pytest.raises(KeyboardInterrupt):
            tiny.run(tmp_path / "cut", kill=str(step), ema=ema)
    assert tiny.run(tmp_path / "cut", ema=ema) == whole


def test_it_learns_and_keeps_the_best_weights(tmp_path: Path) -> None:
    tiny.run(tmp_path, epochs=30, learning_rate=1e-2)
    rows = metrics(tmp_path)
    dev = [row["dev_macro_f1"] for row in rows if "dev_macro_f1" in row]
    place, _ = checkpoint.load(checkpoint.newest(tmp_path / "checkpoints"), fingerprint={"seed": 0, "lr": 1e-2})
    assert place.best == max(dev) > 0.9


def test_it_stops_early_when_dev_no_longer_gains(tmp_path: Path) -> None:
    tiny.run(tmp_path, epochs=40, patience=2)
    assert len([row for row in metrics(tmp_path) if "loss" in row]) < 40 * 8


def test_accumulated_parts_give_the_gradient_of_the_whole_batch(tmp_path: Path) -> None:
    without_dropout = {"epochs": 0.125}
    tiny.run(tmp_path / "whole", **without_dropout)
    tiny.run(tmp_path / "parts", max_batch_tokens=24, **without_dropout)
    first = [metrics(tmp_path / name)[0]["loss"] for name in ("whole", "parts")]
    assert first[0] == pytest.approx(first[1], abs=0.05)


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    assert tiny.run(tmp_path / "a", seed=0) != tiny.run(tmp_path / "b", seed=1)


def test_a_checkpoint_of_another_config_is_refused(tmp_path: Path) -> None:
    tiny.run(tmp_path, epochs=1)
    with pytest.raises(TrainingError, match="another configuration"):
        tiny.run(tmp_path, epochs=1, learning_rate=1e-3)


def test_a_damaged_checkpoint_is_one_clear_error(tmp_path: Path) -> None:
    tiny.run(tmp_path, epochs=1)
    tensors = checkpoint.newest(tmp_path / "checkpoints") / checkpoint.TENSORS
    tensors.write_bytes(tensors.read_bytes()[:100])
    with pytest.raises(TrainingError, match="cannot be read"):
        tiny.run(tmp_path, epochs=1)


def metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
