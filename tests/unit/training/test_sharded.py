"""Processes that share out the weights train as one does, hold a piece each, and write what one would write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.unit.training.test_ranks import lives, metrics
from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.training import checkpoint
from tuneloop.training.distributed.checks import check_parts
from tuneloop.training.distributed.ranks import JoinedRanks, Ranks
from tuneloop.training.distributed.sharded import ShardedRanks, sharing
from tuneloop.training.tensor_file import write_tensors

PLAIN = {"dropout": 0.0, "ema": 0.9, "max_batch_tokens": 40, "epochs": 1}
SHARED = {"shard": True}


def life(folder: str, size: int = 2, kills: dict[str, str] | None = None, **settings: Any) -> dict[str, Any]:
    return {"size": size, "kills": kills or {}, "settings": {"folder": folder, **settings}}


def curve(folder: Path) -> list[float]:
    return [row["loss"] for row in metrics(folder) if "loss" in row]


def dev(folder: Path) -> list[float]:
    return [row["dev_macro_f1"] for row in metrics(folder) if "dev_macro_f1" in row]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[Any]]]:
    """One process, and two that share out the weights."""
    folder = tmp_path_factory.mktemp("sharded")
    every = {"one": life("one", 1, **PLAIN), "two": life("two", **PLAIN, **SHARED)}
    return folder, dict(zip(every, lives(folder, *every.values()), strict=True))


def test_two_processes_have_the_curve_of_one_within_float_noise(told: Any) -> None:
    folder, found = told
    assert len(curve(folder / "one")) == 8
    np.testing.assert_allclose(curve(folder / "two"), curve(folder / "one"), atol=2e-5)
    np.testing.assert_allclose(dev(folder / "two"), dev(folder / "one"), atol=0.04)
    for part in range(8):
        rows = [each["rows"][part] for each in found["two"]]
        assert sorted(rows[0] + rows[1]) == sorted(found["one"][0]["rows"][part])


def test_each_process_holds_half_of_the_weights(told: Any) -> None:
    found = told[1]["two"]
    whole = told[1]["one"][0]["whole"]
    assert sum(each["bytes"] for each in found) == whole
    assert all(0.45 * whole < each["bytes"] < 0.55 * whole for each in found)
    assert all(each["left"] == 0 for each in found)


def test_the_best_weights_are_whole_at_the_end_in_the_first_process(told: Any) -> None:
    folder, found = told
    first, second = found["two"]
    assert first["final"] and not second["final"]
    kinds = [sorted(path.name for path in (folder / name / "checkpoints").rglob("*")) for name in ("one", "two")]
    assert kinds[0] == kinds[1]
    one, two = ({**load_file(path / "state.safetensors")} for path in newest(folder, "one", "two"))
    assert {name: (value.shape, value.dtype) for name, value in one.items()} == {
        name: (value.shape, value.dtype) for name, value in two.items()
    }
    np.testing.assert_allclose(two["model.classifier.weight"], one["model.classifier.weight"], atol=1e-3)


def newest(folder: Path, *names: str) -> list[Path]:
    return [next(iter(sorted((folder / name / "checkpoints").glob("step-*"), reverse=True))) for name in names]


SCENES: dict[str, dict[str, Any]] = {
    "lora": {"method": "lora", "ema": 0.9},
    "dora": {"method": {"type": "lora", "dora": True}, "ema": 0.9},
    "ia3": {"method": "ia3", "ema": 0.9},
    "bitfit": {"method": "bitfit", "ema": 0.9},
    "adapter": {"method": "adapter", "ema": 0.9},
    "frozen layers": {"frozen": 1, "keep": True, "ema": 0.9},
    "r_drop, layers computed again": {"r_drop": 1.0, "gradient_checkpointing": True, "max_batch_tokens": 72},
    "sgd": {"optimizer": "sgd", "learning_rate": 0.1, "clip": 0.0},
    "batches smaller than processes": {"batch_size": 1, "epochs": 0.5},
}


@pytest.mark.long
@pytest.mark.parametrize("scene", list(SCENES))
def test_every_kind_of_training_that_is_offered_has_the_curve_of_one_process(tmp_path: Path, scene: str) -> None:
    plain = {"dropout": 0.0, "epochs": 1} | SCENES[scene]
    lives(tmp_path, life("one", 1, **plain), life("two", **plain, **SHARED), life("three", 3, **plain, **SHARED))
    for name in ("two", "three"):
        np.testing.assert_allclose(curve(tmp_path / name), curve(tmp_path / "one"), atol=2e-3)


TASKS = (
    "classification", "pair", "multilabel", "regression", "pair_regression", "tagging", "qa", "multiple_choice",
    "similarity",
)  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("task", [*TASKS, "generation"])
def test_a_run_of_every_task_leaves_the_files_and_weights_of_one_process(
    tmp_path: Path, tiny_model: Path, chat_model: Path, task: str, method: str
) -> None:
    source = {"source": str(chat_model if task == "generation" else tiny_model), "max_tokens": 24}
    training = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "precision": "fp32", "report_to": []}
    config = {"method": method, "model": source, "training": training}
    shared = config | {"training": training | SHARED}
    one, two = lives(
        tmp_path,
        {"size": 1, "settings": {"folder": "one", "task": task, "config": config}},
        {"size": 2, "settings": {"folder": "two", "task": task, "config": shared}},
    )
    for each in two:
        assert "trace" not in each, each["trace"]
        np.testing.assert_allclose(each["curve"], one[0]["curve"], rtol=1e-3, atol=1e-3)
        for what in ("files", "settings", "sizes"):
            assert each[what] == one[0][what]
        assert each["best"] == pytest.approx(one[0]["best"], abs=0.05)
        assert each["sums"] == pytest.approx(one[0]["sums"], rel=2e-3, abs=2e-2)


@pytest.mark.long
def test_in_bf16_the_curve_is_near_that_of_one_process(tmp_path: Path) -> None:
    plain = {"dropout": 0.0, "precision": "bf16", "ema": 0.9}
    lives(tmp_path, life("one", 1, **plain), life("two", **plain, **SHARED))
    np.testing.assert_allclose(curve(tmp_path / "two"), curve(tmp_path / "one"), atol=0.05)
    np.testing.assert_allclose(curve(tmp_path / "two")[:4], curve(tmp_path / "one")[:4], atol=0.01)


@pytest.mark.long
def test_a_killed_process_ends_all_and_they_go_on_to_the_same_bits(tmp_path: Path) -> None:
    kept = {"checkpoint_every_steps": 3, "ema": 0.9, **SHARED}
    whole, killed, on = lives(
        tmp_path, life("whole", **kept), life("killed", kills={"1": "11"}, **kept), life("killed", **kept)
    )
    assert killed[1] == "SIGKILL"
    assert killed[0]["error"] == "LostRankError"
    assert len(on[0]["weights"]) == 24 - 9
    assert on[0]["final"] == whole[0]["final"]
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "whole")


KILLS = ({"1": "4"}, {"0": "eval:8"}, {"1": "11"}, {"0": "save:15"}, {"0": "17"})


@pytest.mark.long
@pytest.mark.parametrize("scene", ["lora", "frozen layers", "sgd"])
@pytest.mark.parametrize("size", [2, 3])
def test_any_process_may_be_killed_anywhere(tmp_path: Path, scene: str, size: int) -> None:
    settings = {**SCENES[scene], **SHARED}
    deaths = [life("killed", size, kills=kill, **settings) for kill in KILLS]
    whole, *died, last = lives(tmp_path, life("whole", size, **settings), *deaths, life("killed", size, **settings))
    assert any("SIGKILL" in each for each in died)
    assert last[0]["final"] == whole[0]["final"]
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "whole")


@pytest.mark.long
def test_a_run_goes_on_with_more_processes_with_whole_weights_and_with_one(tmp_path: Path) -> None:
    plain = {"dropout": 0.0, "ema": 0.9, "checkpoint_every_steps": 3}
    *_, last = lives(
        tmp_path,
        life("one", 1, **plain),
        life("many", 2, kills={"1": "4"}, **plain, **SHARED),
        life("many", 3, kills={"0": "10"}, **plain, **SHARED),
        life("many", 2, kills={"0": "13"}, **plain),
        life("many", 2, kills={"1": "16"}, **plain, **SHARED),
        life("many", 1, **plain),
    )
    assert len(last[0]["weights"]) == 24 - 15
    np.testing.assert_allclose(curve(tmp_path / "many"), curve(tmp_path / "one"), atol=2e-3)


@pytest.mark.long
def test_ctrl_c_at_one_process_stops_all_with_the_place_kept(tmp_path: Path) -> None:
    stopped, resumed, whole = lives(
        tmp_path, life("run", kills={"1": "stop:7"}, **SHARED), life("run", **SHARED), life("whole", **SHARED)
    )
    assert [each["error"] for each in stopped] == ["InterruptedTrainingError"] * 2
    assert len(resumed[0]["weights"]) == 24 - 8
    assert resumed[0]["final"] == whole[0]["final"]


def settings(method: Any = "full", **others: Any) -> RunConfig:
    training = {"shard": True, **others.pop("training", {})}
    return parse_config({"data": {"source": "x.csv"}, "method": method, "training": training, **others})


@pytest.mark.parametrize(
    ("config", "what"),
    [
        (settings("prefix"), "method prefix"),
        (settings({"type": "distill", "teacher": "x"}), "method distill"),
        (settings({"type": "lora", "base_bits": 4}, task="generation"), "method.base_bits"),
        (settings(training={"fgm": 0.5}), "training.fgm"),
        (settings(training={"optimizer": "adamw_8bit"}), "training.optimizer: adamw_8bit"),
        (settings(continual={"l2_sp": 0.1}), "continual"),
        (settings(modality="text+tabular"), r"modality: text\+tabular"),
    ],
)
def test_what_needs_whole_weights_is_refused(config: RunConfig, what: str) -> None:
    with pytest.raises(ConfigError, match=f"^{what} needs whole weights") as refused:
        check_parts(config)
    assert "training.shard" in refused.value.hint


def test_what_can_do_with_pieces_is_not_refused() -> None:
    for config in (settings(), settings("lora"), settings("auto"), settings(training={"r_drop": 1.0, "ema": 0.9})):
        check_parts(config)
    assert settings().fingerprint() == settings(training={"shard": False}).fingerprint()


def test_one_process_shares_nothing_out() -> None:
    config = settings().training
    alone, two = Ranks(), JoinedRanks(1, 2, device="cpu")
    assert sharing(alone, config) is alone
    assert sharing(two, config.model_copy(update={"shard": False})) is two
    shared = sharing(two, config)
    assert type(shared) is ShardedRanks and (shared.rank, shared.size, shared.pieces) == (1, 2, 2)


def test_tensors_are_written_as_safetensors_itself_would(tmp_path: Path) -> None:
    tensors = {
        "b.half": torch.arange(3, dtype=torch.bfloat16),
        "a.step": torch.tensor(7.0),
        "a.turned": torch.arange(6, dtype=torch.float32).reshape(2, 3).t(),
        "c.bytes": torch.arange(5, dtype=torch.uint8),
        "c.none": torch.zeros(0, 4),
        "d.count": torch.tensor([3], dtype=torch.int64),
        "d.flag": torch.tensor([True, False]),
    }
    write_tensors(tmp_path / "ours", tensors)
    save_file({name: value.contiguous() for name, value in tensors.items()}, tmp_path / "theirs")
    ours, theirs = (load_file(tmp_path / name) for name in ("ours", "theirs"))
    assert ours.keys() == theirs.keys()
    for name, value in tensors.items():
        assert ours[name].dtype == theirs[name].dtype == value.dtype
        assert ours[name].shape == value.shape and torch.equal(ours[name], theirs[name])
    assert json.loads((tmp_path / "ours").read_bytes()[8:].split(b"}}")[0] + b"}}")["a.turned"]["shape"] == [3, 2]


def test_a_checkpoint_of_several_files_is_still_read(tmp_path: Path) -> None:
    place = checkpoint.Place(step=3)
    path = checkpoint.save(tmp_path, place=place, tensors={"model.a": torch.ones(2)}, fingerprint={})
    (path / "state.safetensors").unlink()
    save_file({"model.a": torch.zeros(2)}, path / "model.safetensors")
    save_file({"optimizer.0.step": torch.ones(1)}, path / "optimizer.safetensors")
    found, tensors = checkpoint.load(path, fingerprint={})
    assert found == place
    assert set(tensors) == {"model.a", "optimizer.0.step"} and not tensors["model.a"].any()
