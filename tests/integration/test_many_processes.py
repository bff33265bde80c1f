"""tune, search and predict shared out: by torchrun's launcher, by torchrun itself, on a Ray cluster of two workers."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tuneloop import api
from tuneloop.core.errors import TrainingError
from tuneloop.training.run import Run

pytestmark = pytest.mark.long

PATIENCE_S = 300
WORDS = ["good", "bad", "a", "b", "c", "d", "e", "f"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, made_up: Any, tiny_model: Path) -> Path:
    """A folder with a tuneloop.yaml whose training makes a thousand steps and draws nothing by chance."""
    folder = tmp_path_factory.mktemp("many")
    with (folder / "texts.csv").open("w", newline="") as file:
        csv.writer(file).writerow(["text", "label"])
        for rows in map(made_up("classification").split, ("train", "dev", "test")):
            csv.writer(file).writerows(zip(rows.texts, rows.labels, strict=True))
    settings = {
        "name": "many",
        "data": {"source": "texts.csv", "split": {"dev": 0.25, "test": 0.25}, "clean": {"duplicates": "exact"}},
        "task": {"type": "classification", "dropout": 0.0},
        "model": {"source": str(tiny_model), "max_tokens": 16},
        "training": {
            "epochs": 40, "batch_size": 8, "learning_rate": 1e-3, "precision": "fp32", "report_to": [],
            "checkpoint_every_steps": 10,
        },
        "search": {"space": {"training.learning_rate": {"low": 1e-6, "high": 1e-2, "log": True}}, "trials": 4},
    }  # fmt: skip
    (folder / "tuneloop.yaml").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="module")
def alone(project: Path) -> Run:
    """What one process makes of it."""
    return api.tune(api.open_project(project / "tuneloop.yaml"), quiet=True)


@pytest.fixture(scope="module")
def ray_of_two() -> Iterator[Any]:
    """A local cluster with room for two workers."""
    ray = pytest.importorskip("ray")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20)
    yield ray
    ray.shutdown()


def weights(run: Run) -> bytes:
    return (run.model_path / "model.safetensors").read_bytes()


def curve(run: Run) -> list[float]:
    rows = map(json.loads, (run.path / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [row["loss"] for row in rows if "loss" in row]


def tune_command(project: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tuneloop", "tune", str(project / "tuneloop.yaml"), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def newest(project: Path, before: set[str]) -> Run:
    runs = api.open_project(project / "tuneloop.yaml").workspace.runs
    (name,) = {path.name for path in runs.iterdir()} - before
    found = api.find(name, workspace=runs.parent)
    assert isinstance(found, Run)
    return found


def known(project: Path) -> set[str]:
    return {path.name for path in (project / ".tuneloop" / "runs").glob("*")}


def until(condition: Callable[[], Any]) -> Any:
    """What the condition gives when it holds."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    return found


def checkpoint_of(project: Path, before: set[str], step: int) -> bool:
    """Whether a run that is not among those `before` has come to `step`."""
    runs = [path for path in (project / ".tuneloop" / "runs").glob("*") if path.name not in before]
    steps = [int(each.name[5:]) for run in runs for each in (run / "checkpoints").glob("step-*")]
    return max(steps, default=0) >= step


def processes(name: str, *, of: psutil.Process) -> list[psutil.Process]:
    return [each for each in of.children(recursive=True) if name in " ".join(each.cmdline())]


def test_torchrun_starts_again_what_died_and_ends_with_the_same_bits(project: Path, alone: Run) -> None:
    before = known(project)
    undisturbed = tune_command(project, "--on", "torchrun", "--workers", "2")
    assert undisturbed.communicate(timeout=PATIENCE_S)[1].count("Run many") == 1
    whole = newest(project, before)
    assert whole.info["environment"]["processes"] == 2
    np.testing.assert_allclose(curve(whole), curve(alone), atol=1e-3)

    before = known(project)
    killed = tune_command(project, "--on", "torchrun", "--workers", "2")
    chance = random.Random(0)
    for step in (20, 100):
        until(lambda step=step: checkpoint_of(project, before, step))
        workers = processes("distributed.worker", of=psutil.Process(killed.pid))
        assert len(workers) == 2
        chance.choice(workers).kill()
        psutil.wait_procs(workers, timeout=PATIENCE_S)
    said = killed.communicate(timeout=PATIENCE_S)[1]
    assert killed.returncode == 0, said
    assert "go on from the newest checkpoint (1 of 3 times)" in said
    assert weights(newest(project, before)) == weights(whole)
    assert curve(newest(project, before)) == curve(whole)


def test_ctrl_c_keeps_the_place_and_tells_how_to_go_on(project: Path) -> None:
    before = known(project)
    running = tune_command(project, "--on", "torchrun", "--workers", "2")
    until(lambda: checkpoint_of(project, before, 10))
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=PATIENCE_S)[1]
    assert running.returncode == 130, said
    name = newest(project, before).id
    assert f"--resume --run {name} --on torchrun --workers 2" in said
    resumed = tune_command(project, "--resume", "--run", name, "--on", "torchrun", "--workers", "2")
    resumed.communicate(timeout=PATIENCE_S)
    assert newest(project, before).status == "finished"


def test_processes_that_torchrun_itself_starts_train_together(project: Path, alone: Run) -> None:
    before = known(project)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "tuneloop", "tune", "-q"]
    done = subprocess.run(
        [*command, str(project / "tuneloop.yaml")], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Run many") == 1
    np.testing.assert_allclose(curve(newest(project, before)), curve(alone), atol=1e-3)


def test_processes_that_share_the_weights_out_are_started_again_too(project: Path) -> None:
    fewer = ["--set", "training.epochs=6", "--set", "training.shard=true"]
    options = ["--on", "torchrun", "--workers", "2", *fewer]
    before = known(project)
    tune_command(project, *options).communicate(timeout=PATIENCE_S)
    whole = newest(project, before)

    before = known(project)
    killed = tune_command(project, *options)
    until(lambda: checkpoint_of(project, before, 30))
    workers = processes("distributed.worker", of=psutil.Process(killed.pid))
    random.Random(2).choice(workers).kill()
    said = killed.communicate(timeout=PATIENCE_S)[1]
    assert killed.returncode == 0, said
    assert "go on from the newest checkpoint (1 of 3 times)" in said
    again = newest(project, before)
    assert weights(again) == weights(whole) and curve(again) == curve(whole)
    assert api.release(again, quiet=True).id.startswith("many-")


def test_what_does_not_go_with_sharing_the_weights_is_told_before_anything_starts(project: Path) -> None:
    before = known(project)
    options = ["--set", "training.shard=true", "--set", "training.fgm=0.5"]
    refused = tune_command(project, "--on", "torchrun", "--workers", "2", *options)
    said = refused.communicate(timeout=PATIENCE_S)[1]
    assert refused.returncode == 2
    assert "training.fgm needs whole weights" in said
    assert known(project) == before


def test_a_mistake_is_told_once_and_nothing_is_started_again(project: Path) -> None:
    options = ["--set", "training.learning_rate=1e30", "--set", "training.clip=0", "--set", "training.warmup=0"]
    failing = tune_command(project, "--on", "torchrun", "--workers", "2", "--quiet", *options)
    said = failing.communicate(timeout=PATIENCE_S)[1]
    assert failing.returncode == 2
    assert said.count("The loss is no longer a number") == 1
    assert "go on from" not in said and "Traceback" not in said


def test_ray_trains_as_one_process_and_goes_on_after_a_kill(project: Path, alone: Run, ray_of_two: Any) -> None:
    opened = api.open_project(project / "tuneloop.yaml")
    whole = api.tune(opened, on="ray", workers=2, quiet=True)
    assert whole.info["environment"]["processes"] == 2
    np.testing.assert_allclose(curve(whole), curve(alone), atol=1e-3)

    before, hit = known(project), []

    def kill_one() -> None:
        until(lambda: checkpoint_of(project, before, 30))
        workers = processes("RayTrainWorker", of=psutil.Process())
        random.Random(1).choice(workers).kill()
        hit.append(len(workers))

    killer = threading.Thread(target=kill_one)
    killer.start()
    again = api.tune(opened, on="ray", workers=2, quiet=True)
    killer.join()
    assert hit == [2]
    assert weights(again) == weights(whole)
    assert curve(again) == curve(whole)
    assert not list((project / ".tuneloop" / "cache" / "launches").iterdir())


def test_ray_shares_the_weights_out(project: Path, alone: Run, ray_of_two: Any) -> None:
    opened = api.open_project(project / "tuneloop.yaml", overrides={"training.shard": True})
    np.testing.assert_allclose(curve(api.tune(opened, on="ray", workers=2, quiet=True)), curve(alone), atol=1e-3)


def test_ray_says_what_a_process_said(project: Path, ray_of_two: Any) -> None:
    opened = api.open_project(
        project / "tuneloop.yaml",
        overrides={"training.learning_rate": 1e30, "training.clip": 0, "training.warmup": 0},
    )
    with pytest.raises(TrainingError, match="no longer a number"):
        api.tune(opened, on="ray", workers=2, quiet=True)


def test_trials_side_by_side_are_those_of_one_search(project: Path, ray_of_two: Any) -> None:
    quick = {"training.epochs": 4, "training.evaluations_per_epoch": 1, "search.reduction": 2}
    opened = api.open_project(project / "tuneloop.yaml", overrides=quick)
    found = api.search(opened, on="ray", workers=2, quiet=True)
    assert len(found["trials"]) == 4
    finished = [each["value"] for each in found["trials"] if each["state"] == "finished"]
    assert found["best"]["value"] == max(finished)
    kept = api.find(found["best"]["run"], workspace=opened.workspace.root)
    assert kept.info["best_dev"]["macro_f1"] == found["best"]["value"]
    assert not list(Path(found["report"]).parent.glob("work-*"))

    more = api.open_project(project / "tuneloop.yaml", overrides=quick | {"search.trials": 5})
    assert api.search(more, quiet=True)["trials"][:4] == sorted(found["trials"], key=lambda each: each["trial"])


def test_a_file_that_is_shared_out_has_the_same_answers_in_the_same_order(
    project: Path, alone: Run, ray_of_two: Any, tmp_path: Path
) -> None:
    release = api.release(alone, quiet=True)
    chance = random.Random(0)
    texts = [" ".join(chance.choices(WORDS, k=chance.randint(1, 12))) for _ in range(700)]
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps({"text": text, "n": n}) + "\n" for n, text in enumerate(texts))
    )
    plain, shared = tmp_path / "plain.jsonl", tmp_path / "shared.jsonl"
    workspace = api.open_project(project / "tuneloop.yaml").workspace.root
    given = {"workspace": workspace, "engine": "torch-fp32", "quiet": True}
    assert api.predict_file(release.id, str(tmp_path / "rows.jsonl"), output=plain, **given) == 700

    def kill_one() -> None:
        until(lambda: processes("ray::Answering", of=psutil.Process()))[0].kill()

    killer = threading.Thread(target=kill_one)
    killer.start()
    api.predict_file(release.id, str(tmp_path / "rows.jsonl"), output=shared, on="ray", workers=2, **given)
    killer.join()
    ours, theirs = ([json.loads(line) for line in path.read_text().splitlines()] for path in (plain, shared))
    assert [row["n"] for row in theirs] == list(range(700))
    for own, other in zip(ours, theirs, strict=True):
        assert own["prediction"] == other["prediction"]
        assert own["probability"] == pytest.approx(other["probability"], abs=1e-4)
