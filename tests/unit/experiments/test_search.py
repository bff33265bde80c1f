from __future__ import annotations

import json
import math
import os
import shutil
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneloop import api
from tuneloop.core.config import parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.core.experiments import Axis
from tuneloop.data.snapshot_folder import Snapshot
from tuneloop.experiments.referee import with_settings
from tuneloop.experiments.study import distribution, open_study
from tuneloop.training.interrupt import InterruptedTrainingError

RATES = {
    "training.learning_rate": {"low": 1e-6, "high": 1e-2, "log": True},
    "training.batch_size": {"choices": [8, 16]},
}
QUICK = {"search.space": RATES, "search.trials": 6, "training.epochs": 4, "training.evaluations_per_epoch": 1}


def project_of(folder: Path, **settings: Any) -> api.Project:
    return api.open_project(folder / "tuneloop.yaml", overrides=QUICK | settings)


def test_a_search_keeps_the_best_run_and_gives_up_what_is_behind(project: Path) -> None:
    opened = project_of(project, **{"search.reduction": 2, "search.trials": 8})
    found = api.search(opened, quiet=True)
    assert len(found["trials"]) == 8
    states = [each["state"] for each in found["trials"]]
    assert "given up" in states and "finished" in states
    assert all(len(each["figures"]) < 4 for each in found["trials"] if each["state"] == "given up")
    finished = [each["value"] for each in found["trials"] if each["state"] == "finished"]
    assert found["best"]["value"] == max(finished)

    (kept,) = opened.workspace.runs.iterdir()
    assert kept.name == found["best"]["run"]
    run = api.find(kept.name, workspace=opened.workspace.root)
    assert run.info["best_dev"]["macro_f1"] == found["best"]["value"]
    assert run.config.training.learning_rate == found["best"]["settings"]["training.learning_rate"]
    assert api.evaluate(run, quiet=True)["rows"] > 20

    page = Path(found["report"]).read_text()
    assert page.count("<svg") == 3 and found["best"]["run"] in page
    assert json.loads((Path(found["report"]).parent / "search.json").read_text())["best"] == found["best"]


def test_what_is_proposed_gathers_where_figures_were_best(tmp_path: Path) -> None:
    rate = {"training.learning_rate": {"low": 1e-6, "high": 1e-2, "log": True}}
    settings = parse_config({"name": "x", "data": {"source": "x.csv"}, "search": {"space": rate}})
    study, axis = open_study(settings, tmp_path), settings.search.space["training.learning_rate"]
    misses = []
    for _ in range(30):
        trial = study.ask({"rate": distribution(axis, whole=False)})
        misses.append(abs(math.log10(trial.params["rate"]) + 3))
        study.tell(trial, -misses[-1])
    assert np.mean(misses[-10:]) < np.mean(misses[:10]) / 2


def test_the_test_split_has_no_say(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = api.search(project_of(project), quiet=True)
    split = Snapshot.split

    def with_other_answers(self: Snapshot, name: str) -> Any:
        rows = split(self, name)
        return rows if name != "test" else replace(rows, labels=["no"] * len(rows))

    monkeypatch.setattr(Snapshot, "split", with_other_answers)
    shutil.rmtree(api.open_project(project / "tuneloop.yaml").workspace.root)
    again = api.search(project_of(project), quiet=True)
    assert [each["figures"] for each in again["trials"]] == [each["figures"] for each in first["trials"]]
    assert again["best"]["settings"] == first["best"]["settings"]


def test_more_trials_go_on_with_the_same_search(project: Path) -> None:
    first = api.search(project_of(project, **{"search.trials": 2}), quiet=True)
    more = api.search(project_of(project, **{"search.trials": 4}), quiet=True)
    assert more["trials"][:2] == first["trials"]
    assert len(more["trials"]) == 4
    rates = {each["settings"]["training.learning_rate"] for each in more["trials"]}
    assert len(rates) == 4  # none was proposed twice
    assert api.search(project_of(project, **{"search.trials": 4}), quiet=True) == more


def test_ctrl_c_loses_no_step_of_the_trial_at_work(project: Path) -> None:
    opened = project_of(
        project,
        **{
            "training.epochs": 60,
            "search.trials": 1,
            "search.space": {"training.learning_rate": {"low": 1e-4, "high": 1e-3, "log": True}},
        },
    )
    searches = opened.workspace.root / "searches"

    def interrupt_when_training() -> None:
        while not list(searches.glob("*/work/runs/*/metrics.jsonl")):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt_when_training, daemon=True).start()
    with pytest.raises(InterruptedTrainingError):
        api.search(opened, quiet=True)
    (run,) = searches.glob("*/work/runs/*")
    (checkpoint,) = (run / "checkpoints").glob("step-*")
    assert 0 < int(checkpoint.name.partition("-")[2]) < 60 * 12

    found = api.search(opened, quiet=True)
    assert found["best"]["run"] == run.name  # the same run, gone on with
    assert [each["state"] for each in found["trials"]] == ["finished"]


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        (
            {"search.space": {"training.lerning_rate": {"low": 1, "high": 2}}},
            "there is no setting training.lerning_rate",
        ),
        ({"search.space": {"trainin.epochs": {"low": 1, "high": 2}}}, "there is no setting trainin"),
        ({"search.space": {"training.epochs": {"low": -1, "high": 2}}}, "training.epochs is -1"),
        ({"search.space": {"method.rank": {"low": 1, "high": 2}}}, "there is no setting rank"),
        ({"method": "probe"}, "not trained in steps"),
    ],
)
def test_a_mistake_in_the_space_is_found_before_anything_is_trained(
    project: Path, overrides: dict[str, Any], complaint: str
) -> None:
    opened = project_of(project, **overrides)
    with pytest.raises(ConfigError, match=complaint):
        api.search(opened, quiet=True)
    assert not (opened.workspace.root / "searches").exists()


@pytest.mark.parametrize(
    ("axis", "complaint"),
    [
        ({"choices": [1], "low": 1}, "either choices, or low and high"),
        ({}, "either choices, or low and high"),
        ({"low": 2, "high": 1}, "low must be below high"),
        ({"low": 0, "high": 1, "log": True}, "log needs low above 0"),
    ],
)
def test_an_axis_that_says_nothing_is_refused(axis: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse_config({"data": {"source": "x.csv"}, "search": {"space": {"training.epochs": axis}}})


def test_an_axis_becomes_the_distribution_that_it_describes() -> None:
    def of(whole: bool = False, **given: Any) -> Any:
        return distribution(Axis.model_validate(given), whole=whole)

    assert type(of(low=2, high=6, step=2)).__name__ == "IntDistribution"
    ranks = of(low=2, high=64, log=True, whole=True)
    assert (type(ranks).__name__, ranks.log, ranks.step) == ("IntDistribution", True, 1)
    rate = of(low=1e-5, high=1e-3, log=True)
    assert (type(rate).__name__, rate.log, rate.low, rate.high) == ("FloatDistribution", True, 1e-5, 1e-3)
    assert of(choices=["linear", "cosine"]).choices == ("linear", "cosine")


def test_what_must_be_whole_is_tried_in_whole_numbers(project: Path) -> None:
    space = {"training.batch_size": {"low": 5, "high": 12}, "training.epochs": {"low": 1, "high": 2}}
    found = api.search(project_of(project, **{"search.space": space, "search.trials": 3}), quiet=True)
    settings = [each["settings"] for each in found["trials"]]
    assert all(isinstance(each["training.batch_size"], int) for each in settings)
    assert not all(float(each["training.epochs"]).is_integer() for each in settings)


def test_settings_that_do_not_go_together_are_a_failed_trial_and_no_end_of_the_search(project: Path) -> None:
    space = {"method.first_rank": {"choices": [6, 12]}, "method.rank": {"choices": [4, 7]}}
    method = {"type": "adalora", "first_rank": 8, "rank": 4}
    found = api.search(project_of(project, method=method, **{"search.space": space, "search.trials": 12}), quiet=True)
    failed = [each for each in found["trials"] if each["state"] == "failed"]
    assert len(found["trials"]) == 12
    assert {tuple(each["settings"].values()) for each in failed} == {(6, 7)}
    assert "rank must be less" in failed[0]["failed"]


def test_settings_of_any_group_can_be_searched() -> None:
    config = parse_config({"data": {"source": "x.csv"}, "method": "lora"})
    changed = with_settings(config, {"method.rank": 4, "task.label_smoothing": 0.1, "training.epochs": 2})
    assert (changed.method.options["rank"], changed.training.epochs) == (4, 2)
    assert changed.task.options["label_smoothing"] == 0.1
