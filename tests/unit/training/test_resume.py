"""kill -9 at any moment, then resume: the same bits as a run that nobody disturbed."""

from __future__ import annotations

import importlib.util
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneloop.core.errors import TrainingError
from tuneloop.training import checkpoint
from tuneloop.training.interrupt import InterruptedTrainingError, held_interrupts
from tuneloop.training.logs import open_log

PROGRAM = Path(__file__).with_name("tiny.py")
spec = importlib.util.spec_from_file_location("tiny", PROGRAM)
tiny = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tiny)


SCENES = {
    "fp32": {},
    "ema": {"ema": 0.9},
    "bf16": {"precision": "bf16"},
    "sgd, stopping early": {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 6, "patience": 2},
    "accumulated": {"max_batch_tokens": 24},
    "several evaluations an epoch": {"evaluations_per_epoch": 3, "epochs": 2.5},
    "regularised": {"r_drop": 1.0, "fgm": 0.5, "supcon": 0.3, "max_batch_tokens": 72},
    "a teacher": {"method": {"type": "distill", "teacher": "x", "texts": "y"}},
    "labels that change": {"method": {"type": "self_training", "texts": "x", "threshold": 0.51}, "ema": 0.9},
    "kept states": {"frozen": 1, "keep": True, "ema": 0.9},
    "ranks that move": {"method": "adalora", "ema": 0.9, "learning_rate": 3e-4},
    "hidden tokens": {"method": "masked_lm", "max_batch_tokens": 40},
    "an older model": {"held": True, "r_drop": 1.0, "max_batch_tokens": 72},
}
"""Settings in which resuming could go wrong."""


def lives(folder: Path, kills: list[str], settings: dict[str, object]) -> list[str]:
    command = [sys.executable, str(PROGRAM), str(folder), json.dumps(settings), *kills]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


# 8 steps an epoch (13 with texts beside them), a checkpoint every 3: first step, mid-epoch 1, last of epoch 1, epochs
# 2 and 3
KILLS = {
    "fp32": ["1", "5", "8", "save:9", "13", "save:15", "eval:16", "save:18", "22", "eval:24"],
    "ema": ["save:3", "best:8", "8", "eval:8", "20"],
    "bf16": ["2", "save:6", "eval:8", "19"],
    "sgd, stopping early": ["4", "eval:16"],
    "accumulated": ["pass:2", "save:6", "pass:14", "pass:40"],
    "several evaluations an epoch": ["best:3", "3", "eval:5", "eval:11", "17"],
    "regularised": ["pass:5", "5", "save:9", "eval:16", "19"],
    "a teacher": ["5", "save:9", "eval:26", "30"],
    "labels that change": ["5", "eval:13", "save:15", "17", "save:27", "29", "38"],
    "kept states": ["keep:1", "1", "save:6", "pass:3", "13", "eval:16", "22"],
    "ranks that move": ["2", "save:9", "13", "eval:16", "17", "19", "save:21", "best:24"],
    "hidden tokens": ["2", "pass:9", "save:9", "best:16", "17", "pass:8"],
    "an older model": ["pass:5", "save:9", "eval:16"],
}


OFTEN = ("labels that change", "kept states")
"""Are run by `make test` too: an average and a method's own state, states on disk."""


@pytest.mark.parametrize(
    "scene", [pytest.param(scene, marks=[] if scene in OFTEN else pytest.mark.long) for scene in SCENES]
)
def test_a_killed_run_resumes_to_the_same_bits(tmp_path: Path, scene: str) -> None:
    undisturbed, *deaths, resumed = lives(tmp_path, KILLS[scene], SCENES[scene])
    assert deaths == ["SIGKILL"] * len(KILLS[scene])
    assert resumed == undisturbed
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "whole")


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_a_run_killed_anywhere_many_times_resumes_to_the_same_bits(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    settings = {"max_batch_tokens": 24, "ema": 0.5, "evaluations_per_epoch": 2}
    kills = [f"pass:{random.integers(1, 45)}" for _ in range(8)]
    undisturbed, *deaths, resumed = lives(tmp_path, kills, settings)
    assert "SIGKILL" in deaths
    assert resumed == undisturbed
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "whole")


def test_ctrl_c_ends_the_step_keeps_the_place_and_says_how_to_go_on(tmp_path: Path) -> None:
    whole = tiny.run(tmp_path / "whole")
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(InterruptedTrainingError, match="after step 6 of 24") as stopped:
        tiny.run(tmp_path / "mood-1", kill="stop:5")
    assert "--resume --run mood-1" in stopped.value.hint
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    place, _ = checkpoint.load(
        checkpoint.newest(tmp_path / "mood-1" / "checkpoints"), fingerprint={"seed": 0, "lr": 3e-3}
    )
    assert place.step == 6
    assert tiny.run(tmp_path / "mood-1") == whole


def test_ctrl_c_while_the_log_opens_is_held_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*given: Any, **named: Any) -> Any:
        log = open_log(*given, **named)
        signal.raise_signal(signal.SIGINT)
        return log

    monkeypatch.setattr("tuneloop.training.loop.open_log", opened)
    with pytest.raises(InterruptedTrainingError, match="after step 1 of 24"):
        tiny.run(tmp_path)


def test_a_second_ctrl_c_stops_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), held_interrupts() as asked:
        assert not asked()
        signal.raise_signal(signal.SIGINT)
        assert asked()
        signal.raise_signal(signal.SIGINT)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no longer a number at step"):
        tiny.run(tmp_path, learning_rate=1e30, clip=0, warmup=0)


@pytest.mark.parametrize("step", [2, 8, 9, 17, 23, 24])
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_an_interrupt_at_any_step_changes_nothing(
    tmp_path: Path, step: int, ema: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny.run(tmp_path / "whole", ema=ema)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tiny, "die", interrupt)
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
    tensors = checkpoint.newest(tmp_path / "checkpoints") / "state.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:100])
    with pytest.raises(TrainingError, match="cannot be read"):
        tiny.run(tmp_path, epochs=1)


def test_best_weights_that_are_gone_are_one_clear_error(tmp_path: Path) -> None:
    tiny.run(tmp_path, epochs=1, checkpoint_every_steps=8)
    shutil.rmtree(next((tmp_path / "checkpoints").glob("best-*")))
    with pytest.raises(TrainingError, match="best-00000008 cannot be read"):
        tiny.run(tmp_path, epochs=1)


def test_only_the_newest_checkpoint_and_the_best_weights_are_kept(tmp_path: Path) -> None:
    tiny.run(tmp_path, evaluations_per_epoch=2)
    newest = checkpoint.newest(tmp_path / "checkpoints")
    place, _ = checkpoint.load(newest, fingerprint={"seed": 0, "lr": 3e-3})
    kept = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert kept == {newest.name, f"best-{place.best_step:08d}"}


def metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
