"""A whole comparison on a tiny model, each run in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tuneloop import api
from tuneloop.core.config import RunConfig
from tuneloop.core.errors import ConfigError
from tuneloop.experiments.jobs import candidates
from tuneloop.training.interrupt import InterruptedTrainingError


def test_a_comparison_measures_every_method_and_budget_and_says_what_to_take(project: Path) -> None:
    found = api.compare(project / "tuneloop.yaml", quiet=True)
    assert [each["budget"] for each in found["budgets"]] == [4, "all"]
    for budget in found["budgets"]:
        assert {each["label"] for each in budget["methods"]} == {"tfidf", "full"}
    few, every = (next(each for each in budget["methods"] if each["label"] == "full") for budget in found["budgets"])
    assert found["budgets"][0]["train_rows"] == 8
    assert every["value"] > few["value"] - 0.1
    assert every["value"] > 0.9
    assert every["trained_parameters"] == every["parameters"] > 1000
    assert every["peak_memory_bytes"] > 1e8 and every["latency_ms"] > 0 and every["seconds"] > 0
    kept = json.loads((Path(found["report"]).parent / "comparison.json").read_text())
    assert kept == {name: value for name, value in found.items() if name != "report"}
    page = Path(found["report"]).read_text()
    assert "4 labels of each class (8 training texts)" in page and page.count("<svg") == 3
    for column in ("against the best", "trained parameters", "time", "peak memory", "size", "one text", "texts/s"):
        assert f">{column}</th>" in page
    cells = [every["value"], every["low"], every["high"]]
    assert "{:.3f} [{:.3f}, {:.3f}]".format(*cells) in page and f">{every['latency_ms']:.0f} ms</td>" in page
    jobs = project / ".tuneloop" / "comparisons" / "jobs"
    assert not list(jobs.glob("*/work"))

    results = {path: path.stat().st_mtime_ns for path in jobs.glob("*/result.json")}
    assert len(results) == 4
    again = api.compare(project / "tuneloop.yaml", quiet=True)
    assert again == found
    assert {path: path.stat().st_mtime_ns for path in jobs.glob("*/result.json")} == results


@pytest.mark.long
def test_what_is_chosen_by_itself_is_compared_like_any_method(project: Path) -> None:
    settings = {"comparison.methods": ["auto"], "comparison.budgets": [4], "training.epochs": 2}
    found = api.compare(api.open_project(project / "tuneloop.yaml", overrides=settings), quiet=True)
    assert found["failed"] == found["refused"] == {}
    assert {each["label"] for each in found["budgets"][0]["methods"]} == {"tfidf", "auto"}


def test_ctrl_c_keeps_what_is_finished_and_the_run_at_work(project: Path) -> None:
    opened = api.open_project(
        project / "tuneloop.yaml", overrides={"comparison.budgets": ["all"], "training.epochs": 3000}
    )
    jobs = opened.workspace.comparisons / "jobs"

    def interrupt_when_training() -> None:
        while not list(jobs.glob("*/work/runs/*/metrics.jsonl")):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt_when_training, daemon=True).start()
    with pytest.raises(InterruptedTrainingError) as stopped:
        api.compare(opened, quiet=True)
    assert stopped.value.exit_code == 130
    assert len(list(jobs.glob("*/result.json"))) == 1  # TF-IDF
    (checkpoint,) = jobs.glob("*/work/runs/*/checkpoints/step-*")
    assert int(checkpoint.name.partition("-")[2]) > 0


@pytest.mark.long
def test_kill_9_leaves_no_run_behind_and_the_same_command_goes_on(project: Path) -> None:
    settings = {"comparison.budgets": ["all"], "training.epochs": 400, "training.checkpoint_every_steps": 50}
    command = [sys.executable, "-m", "tuneloop", "compare", str(project / "tuneloop.yaml"), "--quiet"]
    command += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    jobs = project / ".tuneloop" / "comparisons" / "jobs"
    with subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
        while not list(jobs.glob("*/work/runs/*/checkpoints/step-*")):
            assert killed.poll() is None
            time.sleep(0.05)
        killed.kill()
    opened = api.open_project(project / "tuneloop.yaml", overrides=settings)
    found = api.compare(opened, quiet=True)  # while the run that was left is still at its last step
    assert found["failed"] == {}
    assert {each["label"] for each in found["budgets"][0]["methods"]} == {"full", "tfidf"}


def test_a_method_that_makes_no_sense_is_named_and_left_out(project: Path) -> None:
    opened = api.open_project(project / "tuneloop.yaml", overrides={"task": "regression"})
    fitting, refused = candidates(with_methods(opened.config, ["contrastive", "probe"]), [])
    assert [each.type for each in fitting] == ["tfidf", "probe"]
    assert "needs one class" in refused["contrastive"]


@pytest.mark.parametrize(
    ("methods", "complaint"),
    [
        (["lora", {"type": "lora", "rank": 2}], "Two methods of the comparison are called lora"),
        ([{"type": "lora", "rnak": 2}], "there is no setting rnak"),
        ([{"type": "full", "training": {"epoch": 2}}], "there is no setting training.epoch"),
        (["lorra"], "lorra"),
    ],
)
def test_a_mistake_is_found_before_anything_runs(project: Path, methods: list[Any], complaint: str) -> None:
    opened = api.open_project(project / "tuneloop.yaml")
    with pytest.raises(ConfigError, match=complaint):
        candidates(with_methods(opened.config, methods), ["no", "yes"])


@pytest.mark.long
def test_a_run_that_fails_does_not_end_the_comparison(project: Path) -> None:
    hopeless = {"type": "full", "label": "hopeless", "training": {"learning_rate": 1e30, "clip": 0.0}}
    overrides = {"comparison.methods": [hopeless], "comparison.budgets": ["all"]}
    found = api.compare(api.open_project(project / "tuneloop.yaml", overrides=overrides), quiet=True)
    assert "no longer a number" in found["failed"]["hopeless"]
    assert [each["label"] for each in found["budgets"][0]["methods"]] == ["tfidf"]
    assert "hopeless" in Path(found["report"]).read_text()


def with_methods(config: RunConfig, methods: list[Any]) -> RunConfig:
    from tuneloop.core.config import parse_config

    plain = config.model_dump(mode="json")
    return parse_config(plain | {"comparison": {"methods": methods}})
