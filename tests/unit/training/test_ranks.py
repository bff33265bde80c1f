"""Several processes train as one does: the same steps, every row once, the same bits after a kill."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import ConfigError, TrainingError
from tuneloop.data.tokens import Tokens
from tuneloop.training.distributed import ranks as ranks_module
from tuneloop.training.distributed.checks import check_parts, check_seen
from tuneloop.training.distributed.ranks import VARIABLES, JoinedRanks, Ranks, join
from tuneloop.training.distributed.share import share

PROGRAM = Path(__file__).with_name("together.py")


def lives(folder: Path, *every: dict[str, Any]) -> list[list[Any]]:
    given = [{"size": 2, "kills": {}, "settings": {}} | each for each in every]
    command = [sys.executable, str(PROGRAM), str(folder), json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found: list[list[Any]] = json.loads(done.stdout)
    return found


def metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


PLAIN = {"dropout": 0.0, "ema": 0.9, "max_batch_tokens": 40}


KEPT = {"checkpoint_every_steps": 3}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[Any]]]:
    """One process, two, and two of which one is killed and which then go on."""
    folder = tmp_path_factory.mktemp("together")
    every: dict[str, dict[str, Any]] = {
        "talk": {"settings": {"talk": True}},
        "one": {"size": 1, "settings": {"folder": "one", **PLAIN}},
        "two": {"settings": {"folder": "two", **PLAIN}},
        "undisturbed": {"settings": {"folder": "undisturbed", **KEPT}},
        "killed": {"settings": {"folder": "killed", **KEPT}, "kills": {"1": "11"}},
        "on": {"settings": {"folder": "killed", **KEPT}},
    }
    return folder, dict(zip(every, lives(folder, *every.values()), strict=True))


def test_processes_add_up_gradients_and_hear_what_the_first_one_says(told: Any) -> None:
    first, second = told[1]["talk"]
    same = {"loss": 0.5, "equal": [[0.0, 0.0], [0.0, 0.0]], "any": [False, True]}
    for each in (first, second):
        assert {name: each[name] for name in same} == same
        assert each["gradients"] == [[3.0] * 4, [1.0] * 3, None]
        assert each["told"] == {"f1": 0.1 + 0.2, "from": 0, "text": "好"}
        assert each["draws"][0] == each["draws"][2] != each["draws"][1]
    assert first["draws"][0] != second["draws"][0]


def test_two_processes_have_the_loss_curve_of_one_within_float_noise(told: Any) -> None:
    folder, _ = told
    one, two = metrics(folder / "one"), metrics(folder / "two")
    assert [row["step"] for row in one] == [row["step"] for row in two]
    losses = [np.array([row["loss"] for row in rows if "loss" in row]) for rows in (one, two)]
    assert len(losses[0]) == 24
    np.testing.assert_allclose(losses[0], losses[1], atol=2e-5)
    dev = [[row["dev_macro_f1"] for row in rows if "dev_macro_f1" in row] for rows in (one, two)]
    np.testing.assert_allclose(dev[0], dev[1], atol=0.04)


def test_processes_have_the_same_weights_after_every_step(told: Any) -> None:
    first, second = told[1]["two"]
    assert first["weights"] == second["weights"]
    assert len(set(first["weights"])) == 24


def test_every_row_of_an_epoch_is_seen_by_one_process_once(told: Any) -> None:
    (alone,), (first, second) = told[1]["one"], told[1]["two"]
    assert [sorted(a + b) for a, b in zip(first["rows"], second["rows"], strict=True)] == list(
        map(sorted, alone["rows"])
    )
    for epoch in range(3):
        steps = slice(8 * epoch, 8 * epoch + 8)
        assert sorted(row for part in (first, second) for rows in part["rows"][steps] for row in rows) == list(
            range(60)
        )
    assert all(first["rows"]) and all(second["rows"])


def test_a_killed_process_ends_all_and_they_go_on_to_the_same_bits(told: Any) -> None:
    folder, found = told
    assert found["killed"][1] == "SIGKILL"
    assert found["killed"][0]["error"] == "LostRankError"
    assert len(found["on"][0]["weights"]) == 24 - 9
    assert found["on"][0]["final"] == found["undisturbed"][0]["final"]
    assert metrics(folder / "killed") == metrics(folder / "undisturbed")


@pytest.mark.long
def test_ctrl_c_at_one_process_stops_all_with_the_place_kept(tmp_path: Path) -> None:
    plain = {"settings": KEPT}
    stopped, resumed = lives(tmp_path, plain | {"kills": {"1": "stop:7"}}, plain)
    (whole,) = lives(tmp_path / "whole", plain)
    assert [each["error"] for each in stopped] == ["InterruptedTrainingError"] * 2
    assert len(resumed[0]["weights"]) == 24 - 8
    assert resumed[0]["final"] == whole[0]["final"]


@pytest.mark.long
@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 3), (2, 1)])
def test_another_number_of_processes_goes_on_and_says_that_it_is_not_exact(
    tmp_path: Path, before: int, after: int
) -> None:
    spoken = {**KEPT, "quiet": False}
    begun = {"size": before, "settings": spoken, "kills": {str(before - 1): "7"}}
    first, second = lives(tmp_path, begun, {"size": after, "settings": spoken})
    assert first[before - 1] == "SIGKILL"
    assert len(second[0]["weights"]) == 24 - 6
    assert f"{before} processes and gone on with {after}: not bit-exact" in second[0]["said"]
    assert len(metrics(tmp_path / "run")) == 27


SCENES = {
    "ema": {"ema": 0.9},
    "bf16": {"precision": "bf16"},
    "sgd, stopping early": {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 6, "patience": 2},
    "accumulated": {"max_batch_tokens": 24},
    "regularised": {"r_drop": 1.0, "fgm": 0.5, "max_batch_tokens": 72},
    "a teacher": {"method": {"type": "distill", "teacher": "x", "texts": "y"}},
    "labels that change": {"method": {"type": "self_training", "texts": "x", "threshold": 0.51}, "ema": 0.9},
    "kept states": {"frozen": 1, "keep": True, "ema": 0.9},
    "ranks that move": {"method": "adalora", "ema": 0.9, "learning_rate": 3e-4},
    "an older model": {"held": True, "r_drop": 1.0, "max_batch_tokens": 72},
    "batches smaller than processes": {"batch_size": 1, "epochs": 1},
}
KILLS = ({"1": "4"}, {"0": "eval:8"}, {"1": "11"}, {"0": "save:15"}, {"0": "17"})


@pytest.mark.long
@pytest.mark.parametrize("scene", list(SCENES))
@pytest.mark.parametrize("size", [2, 3])
def test_any_process_may_be_killed_anywhere(tmp_path: Path, scene: str, size: int) -> None:
    def settings(folder: str) -> dict[str, Any]:
        return {"size": size, "settings": {"folder": folder, **SCENES[scene]}}

    deaths = [settings("killed") | {"kills": kill} for kill in KILLS]
    whole, *deaths, last = lives(tmp_path, settings("whole"), *deaths, settings("killed"))
    assert any("SIGKILL" in life for life in deaths)
    assert last[0]["final"] == whole[0]["final"]
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "whole")
    assert all(each["weights"] == whole[0]["weights"] for each in whole)


@pytest.mark.long
@pytest.mark.parametrize(
    "scene", ["labels that change", "ranks that move", "kept states", "an older model", "a teacher"]
)
def test_methods_with_a_state_have_the_curve_of_one_process(tmp_path: Path, scene: str) -> None:
    plain = {**SCENES[scene], "dropout": 0.0, "r_drop": 0.0}
    lives(tmp_path, *({"size": size, "settings": {"folder": str(size), **plain}} for size in (1, 2)))
    one, two = ([row.get("loss", 0.0) for row in metrics(tmp_path / name)] for name in ("1", "2"))
    np.testing.assert_allclose(one, two, atol=2e-3)


def tokens(lengths: list[int], owners: list[int] | None = None) -> Tokens:
    offsets = np.cumsum([0, *lengths])
    whose = None if owners is None else np.array(owners)
    return Tokens(
        np.zeros(offsets[-1], np.int32), offsets, None, np.zeros(len(lengths), bool), owners=whose, bound=bool(owners)
    )


@given(st.lists(st.integers(1, 60), min_size=1, max_size=50), st.integers(1, 7))
def test_each_row_of_a_step_is_in_one_share_and_shares_are_about_equal(lengths: list[int], size: int) -> None:
    rows, read = np.random.default_rng(0).permutation(len(lengths)), tokens(lengths)
    shares = [share(rows, read, rank=rank, size=size) for rank in range(size)]
    assert sorted(np.concatenate(shares)) == list(range(len(lengths)))
    sums = [sum(lengths[row] for row in each) for each in shares]
    assert max(sums) - min(sums) <= max(lengths)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(st.lists(st.integers(1, 4), min_size=1, max_size=20), st.integers(2, 4))
def test_texts_that_are_judged_together_stay_together(texts: list[int], size: int) -> None:
    owners = np.repeat(np.arange(len(texts)), texts)
    read = tokens([3] * len(owners), owners.tolist())
    shares = [share(np.arange(len(owners)), read, rank=rank, size=size) for rank in range(size)]
    assert sorted(np.concatenate(shares)) == list(range(len(owners)))
    for each in shares:
        for owner in set(owners[each]):
            assert sum(owners[each] == owner) == texts[owner]
            assert np.ptp(np.flatnonzero(owners[each] == owner)) == texts[owner] - 1


def test_one_process_alone_has_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    ranks = join()
    assert type(ranks) is Ranks and ranks.first and ranks.size == 1
    rows = np.array([4, 2])
    assert ranks.share(rows, tokens([1] * 5)) is rows
    assert ranks.add_up([], 0.5) == 0.5


def test_a_torchrun_whose_restarts_would_hang_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_MAX_RESTARTS": "3"}
    for name, value in ({name: "1" for name in VARIABLES} | given).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match="wait for those that have died") as refused:
        join()
    assert ranks_module.OWN_STORE in refused.value.hint


def settings(task: str = "classification", method: str = "full", **training: Any) -> RunConfig:
    return parse_config({"data": {"source": "x.csv"}, "task": task, "method": method, "training": training})


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (settings(method="contrastive"), "method contrastive compares the texts"),
        (settings(task="retrieval"), "task retrieval compares the texts"),
        (settings(supcon=0.3), "training.supcon compares the texts"),
        (settings(method="probe"), "method probe is not trained in steps"),
    ],
)
def test_what_needs_a_step_in_one_piece_is_refused(config: RunConfig, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as refused:
        check_parts(config)
    assert "one process" in refused.value.hint


def test_what_may_be_parted_is_not_refused() -> None:
    for config in (settings(), settings(method="auto"), settings(method="lora", r_drop=1.0), settings(task="tagging")):
        check_parts(config)


def test_a_workspace_that_is_not_shared_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"Process 2 on .* does not see") as refused:
        check_seen(JoinedRanks(1, 2, device="cpu"), tmp_path / "run.json")
    assert "--set workspace=" in refused.value.hint
