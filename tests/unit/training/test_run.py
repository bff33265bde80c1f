"""Runs and plans on a tiny model: resumed, refused, predicted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import ConfigError, TrainingError
from tuneloop.core.paths import Workspace
from tuneloop.methods.split import Split
from tuneloop.models.device import choose_precision, peak_memory_bytes
from tuneloop.models.forward import positions
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.training import loop
from tuneloop.training.plan import plan
from tuneloop.training.run import open_run, tune

HOLD = "import filelock, sys\nwith filelock.FileLock(sys.argv[1]): print('held', flush=True); input()"
"""A program that keeps the lock it is given."""


def config(source: Path, method: str = "full", task: str = "classification", **training: object) -> RunConfig:
    plain = {"epochs": 4, "batch_size": 8, "precision": "fp32", "report_to": []} | training
    model = {"source": str(source), "max_tokens": 16}
    settings = {"name": "mood", "data": {"source": "x.csv"}, "task": task, "method": method}
    return parse_config(settings | {"training": plain, "model": model})


def weights(folder: Path) -> bytes:
    return (folder / "model" / "model.safetensors").read_bytes()


def stop(monkeypatch: pytest.MonkeyPatch, settings: RunConfig, data: Any, place: Workspace) -> None:
    """Begin a run that is stopped after its 6th step."""

    def interrupted(*given: object) -> object:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "rate_factor", lambda step, **_: interrupted() if step == 6 else 1.0)
        with pytest.raises(KeyboardInterrupt):
            tune(settings, snapshot=data, workspace=place, quiet=True)


@pytest.mark.parametrize(("name", "task"), [("latest", "classification"), ("its id", "generation")])
def test_a_stopped_run_is_finished_by_name_and_ends_like_one_that_was_not(
    tiny_model: Path,
    chat_model: Path,
    made_up: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    task: str,
) -> None:
    model = chat_model if task == "generation" else tiny_model
    settings = config(model, task=task, checkpoint_every_steps=4, schedule="constant", warmup=0)
    data = made_up(task)
    whole = tune(settings, snapshot=data, workspace=Workspace(tmp_path / "whole"), quiet=True)
    place = Workspace(tmp_path / "stopped")
    stop(monkeypatch, settings, data, place)
    run = open_run("latest", place)
    assert run.status == "unfinished"
    done = tune(settings, snapshot=data, workspace=place, resume="latest" if name == "latest" else run.id, quiet=True)
    assert done.id == run.id
    assert weights(done.path) == weights(whole.path)
    assert done.info["steps"] == whole.info["steps"] == 48
    assert done.info["samples_per_s"] > 0


def test_resuming_a_finished_run_changes_nothing(tiny_model: Path, made_up: Any, tmp_path: Path) -> None:
    settings, data, place = config(tiny_model, epochs=1), made_up("classification"), Workspace(tmp_path)
    run = tune(settings, snapshot=data, workspace=place, quiet=True)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = tune(settings, snapshot=data, workspace=place, resume="latest", quiet=True)
    assert again.id == run.id
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_same_texts_are_tokenised_once(
    tiny_model: Path, made_up: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, data, place = config(tiny_model, epochs=1), made_up("classification"), Workspace(tmp_path)
    first = tune(settings, snapshot=data, workspace=place, quiet=True)
    with monkeypatch.context() as patch:
        patch.setattr(Tokenizer, "encode", lambda *_: pytest.fail("encoded again"))
        second = tune(settings, snapshot=data, workspace=place, quiet=True)
    assert weights(first.path) == weights(second.path)


def test_a_run_at_work_in_another_process_is_not_resumed(
    tiny_model: Path, made_up: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, data, place = config(tiny_model), made_up("classification"), Workspace(tmp_path)
    stop(monkeypatch, settings, data, place)
    lock = open_run("latest", place).path / "lock"
    held = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert held.stdout and held.stdout.readline() == "held\n"
    with pytest.raises(TrainingError, match="another process"):
        tune(settings, snapshot=data, workspace=place, resume="latest", quiet=True)
    held.kill()
    held.wait()
    assert tune(settings, snapshot=data, workspace=place, resume="latest", quiet=True).status == "finished"


def test_a_finished_run_keeps_no_checkpoint(tiny_model: Path, made_up: Any, tmp_path: Path) -> None:
    run = tune(
        config(tiny_model, epochs=1), snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True
    )
    assert not (run.path / "checkpoints").exists()


def test_resuming_with_other_settings_names_them(tiny_model: Path, made_up: Any, tmp_path: Path) -> None:
    data, place = made_up("classification"), Workspace(tmp_path)
    tune(config(tiny_model, epochs=1), snapshot=data, workspace=place, quiet=True)
    with pytest.raises(TrainingError, match=r"training\.epochs 1\.0 -> 2\.0"):
        tune(config(tiny_model, epochs=2), snapshot=data, workspace=place, resume="latest", quiet=True)
    seldom = config(tiny_model, epochs=1, checkpoint_every_steps=7)
    assert tune(seldom, snapshot=data, workspace=place, resume="latest", quiet=True).status == "finished"


def test_resuming_with_other_data_is_refused(tiny_model: Path, made_up: Any, tmp_path: Path) -> None:
    data, place = made_up("classification"), Workspace(tmp_path)
    tune(config(tiny_model, epochs=1), snapshot=data, workspace=place, quiet=True)
    data.hash = "another"
    with pytest.raises(TrainingError, match="other data"):
        tune(config(tiny_model, epochs=1), snapshot=data, workspace=place, resume="latest", quiet=True)


def test_a_relative_model_folder_starts_from_the_base(tiny_model: Path, made_up: Any, tmp_path: Path) -> None:
    settings, data = config(Path(tiny_model.name), epochs=1), made_up("classification")
    run = tune(settings, snapshot=data, workspace=Workspace(tmp_path), base=tiny_model.parent, quiet=True)
    assert run.status == "finished"


def test_tensorboard_shows_the_steps_of_a_run(tiny_model: Path, made_up: Any, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = config(tiny_model, epochs=1, report_to=["tensorboard"])
    run = tune(settings, snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True)
    rows = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    events = EventAccumulator(str(run.path / "tensorboard")).Reload()
    shown = [(event.step, pytest.approx(event.value)) for event in events.Scalars("train/loss")]
    assert shown == [(row["step"], row["loss"]) for row in rows if "loss" in row]
    assert len(shown) == 12


@pytest.mark.parametrize("method", ["full", "probe"])
def test_a_plan_counts_what_the_run_does_and_keeps_nothing(
    tiny_model: Path, made_up: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.chdir(tmp_path)
    settings, data = config(tiny_model, method), made_up("classification")
    planned = plan(settings, snapshot=data)
    assert not list(tmp_path.iterdir())
    run = tune(settings, snapshot=data, workspace=Workspace(tmp_path), quiet=True)
    assert planned.trained_parameters == run.info["model"]["trained_parameters"]
    assert planned.parameters == run.info["model"]["parameters"]
    assert planned.steps == (run.info["steps"] if method == "full" else 0)
    assert (planned.train_rows, planned.dev_rows) == (90, 45)
    assert 0 <= planned.padded_share < 0.5
    assert planned.seconds > 0
    assert 1e8 < planned.memory_bytes < 2 * peak_memory_bytes("cpu")
    assert len(planned.rows()) == 8


def test_a_plan_of_very_few_texts_still_works(tiny_model: Path, made_up: Any) -> None:
    assert plan(config(tiny_model, batch_size=64, epochs=1), snapshot=made_up("classification")).steps == 2


def test_a_wish_for_a_precision_is_kept() -> None:
    assert [choose_precision(wish, "cpu") for wish in ("fp32", "bf16")] == ["fp32", "bf16"]
    assert choose_precision("auto", "cpu") in ("fp32", "bf16")


def test_more_tokens_than_the_model_has_places_for_are_refused_before_training(
    tiny_model: Path, made_up: Any, tmp_path: Path
) -> None:
    settings = config(tiny_model)
    wide = settings.model_copy(update={"model": settings.model.model_copy(update={"max_tokens": 33})})
    with pytest.raises(ConfigError, match=r"max_tokens is 33, but the model reads 32"):
        tune(wide, snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True)


def test_the_places_of_a_model_are_counted_as_it_counts_them() -> None:
    from transformers import (
        DebertaV2Config,
        DebertaV2ForSequenceClassification,
        RobertaConfig,
        RobertaForSequenceClassification,
    )

    shape = {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    shape |= {"intermediate_size": 16, "max_position_embeddings": 42}
    assert positions(RobertaForSequenceClassification(RobertaConfig(**shape, pad_token_id=1))) == 40
    relative = DebertaV2Config(**shape, position_biased_input=False, relative_attention=True)
    assert positions(DebertaV2ForSequenceClassification(relative)) is None


def test_a_run_whose_batches_were_dealt_in_another_way_must_be_started_again(
    chat_model: Path, tiny_model: Path, made_up: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for model, task in ((chat_model, "generation"), (tiny_model, "classification")):
        settings, place = config(model, task=task, checkpoint_every_steps=4), Workspace(tmp_path / task)
        with monkeypatch.context() as patch:  # as it was before
            patch.setattr(Split, "dealing", {})
            stop(monkeypatch, settings, made_up(task), place)
        again = {"snapshot": made_up(task), "workspace": place, "resume": "latest", "quiet": True}
        if task == "generation":
            with pytest.raises(TrainingError, match="dealt the texts into other batches") as refused:
                tune(settings, **again)
            assert "start it again" in refused.value.hint
        else:
            assert tune(settings, **again).status == "finished"
