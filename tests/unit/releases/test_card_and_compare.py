"""The model card says how good a release is and how sure that is; two releases are compared row by row."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard

from tests.releases import make_release
from tuneloop.core.config import EvaluationConfig, TaskConfig, parse_config
from tuneloop.core.i18n import use_language
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.evaluation.evaluate import evaluate
from tuneloop.evaluation.predictions import write_predictions
from tuneloop.releases.card import card
from tuneloop.releases.compare import compare, compare_many
from tuneloop.releases.read import Release
from tuneloop.releases.scorecard import _reference
from tuneloop.tasks import create_task
from tuneloop.training.run import Run

TASK = create_task(TaskConfig(type="classification"), {"labels": ["bad|worse", "good"]})
LABELS = ["good", "bad|worse"] * 100
TEXTS = ["挺好的", "太差了"] * 100
EXAMPLES = Examples([f"r{row}" for row in range(200)], TEXTS, LABELS)
CONFIG = {"name": "m", "data": {"source": "/home/someone/reviews.csv"}, "evaluation": {"resamples": 200}}


def scores(errors: int):
    """Scores of a model that is wrong on the first `errors` rows."""
    sure = np.array([[0.1, 0.9], [0.9, 0.1]] * 100, dtype=np.float32)
    sure[:errors] = sure[:errors, ::-1]
    return sure


def evaluation(errors: int):
    found = evaluate(
        task=TASK,
        examples=EXAMPLES,
        scores=scores(errors),
        baselines={"majority": np.full((200, 2), 0.5, dtype=np.float32)},
        reference=None,
        config=EvaluationConfig(resamples=200),
        seed=0,
        truncated=None,
    )
    return found.to_json()


def release_info(**release):
    config = parse_config(CONFIG | {"release": release, "model": {"source": "bert-org/bert"}})
    about = {"id": "m-1", "run": "m-run", "data_hash": "abc123", "engine": "onnx-fp32"}
    return about | {"config": config.model_dump(mode="json")}


def test_hugging_face_reads_the_front_matter():
    found = ModelCard(card(release_info(license="apache-2.0"), evaluation(20))).data
    assert (found.license, found.language, found.base_model) == ("apache-2.0", ["zh"], "bert-org/bert")
    assert (found.library_name, found.pipeline_tag) == ("transformers", "text-classification")
    results = {result.metric_name: result for result in found.eval_results}
    assert results["accuracy"].metric_value == 0.9
    assert results["macro_f1"].metric_type == "f1"
    assert results["accuracy"].dataset_name == "reviews.csv"


def test_the_card_shows_intervals_beside_baselines_and_no_folder_of_this_machine():
    text = card(release_info(limits="Not for medicine."), evaluation(20))
    row = next(line for line in text.splitlines() if line.startswith("| accuracy |"))
    value, baseline = row.split("|")[2:4]
    assert value.strip().startswith("0.900 [0.8") and baseline.strip().startswith("0.500 [0.4")
    assert "The model is better than always the most frequent answer" in text
    assert "Not for medicine." in text and "`abc123`" in text
    assert "/home/someone" not in text


def test_the_card_is_whole_without_an_evaluation_and_in_chinese():
    text = card(release_info(), {"metrics": {}})
    assert "## Metrics" not in text and ModelCard(text).data.eval_results is None
    use_language("zh")
    assert "“本模型”优于“总答最常见的类别”" in card(release_info(), evaluation(20))
    use_language(None)


@pytest.fixture
def release(tmp_path):
    def make(name: str, errors: int, *, examples: Examples = EXAMPLES, task=TASK) -> Release:
        folder = tmp_path / name
        folder.mkdir()
        settings = {
            "task": {"type": "classification", "options": {}},
            "state": task.state,
            "max_tokens": 64,
            "clean": {},
        }
        (folder / "tuneloop.json").write_text(json.dumps(settings))
        (folder / "evaluation.json").write_text(json.dumps({"metrics": {"accuracy": {"value": 1 - errors / 200}}}))
        write_predictions(folder / "predictions.parquet", task, examples, scores(errors))
        return Release(name, folder, release_info() | {"id": name})

    return make


def test_the_newer_release_is_compared_row_by_row(release):
    found = compare(release("m-1", 40), release("m-2", 10))
    assert found["paired"]["verdict"] == "better"
    assert found["paired"]["sentence"].startswith("m-2 is better than m-1: macro F1 0.950 against 0.800")
    assert (found["paired"]["only_a_right"], found["paired"]["only_b_right"]) == (30, 0)
    changed = found["paired"]["rows"]
    assert len(changed) == 30
    assert all(row["b"] == row["label"] != row["a"] for row in changed)
    assert found["metrics"] == {"accuracy": [{"value": 0.8}, {"value": 0.95}]}


def test_releases_with_other_test_rows_are_not_compared_and_it_says_why(release):
    others = Examples([f"s{row}" for row in range(200)], TEXTS, LABELS)
    found = compare(release("m-1", 40), release("m-2", 10, examples=others))
    assert "paired" not in found
    assert found["unpaired"] == "The test rows differ: 400 ids are on one side only."


def test_a_release_without_predictions_is_compared_by_its_figures(release):
    first, second = release("m-1", 40), release("m-2", 10)
    (first.path / "predictions.parquet").unlink()
    assert compare(first, second).keys() == {"config", "metrics", "data"}


def run_with(tmp_path, name, errors, *, seed, rows=EXAMPLES):
    """A run that is wrong on the first `errors` test rows; not evaluated for None."""
    folder = tmp_path / name
    (folder / "model").mkdir(parents=True)
    config = parse_config(CONFIG | {"seed": seed})
    (folder / "config.yaml").write_text(json.dumps(config.model_dump(mode="json")))
    task = {"type": "classification", "options": {}}
    settings = {"task": task, "state": {"labels": TASK.labels}, "max_tokens": 8, "clean": {}}
    (folder / "model" / "tuneloop.json").write_text(json.dumps(settings))
    if errors is not None:
        (folder / "evaluation.json").write_text(json.dumps(evaluation(errors)))
        write_predictions(folder / "predictions.parquet", TASK, rows, scores(errors))
    return Run(folder, {"status": "finished", "snapshot_hash": "abc"})


def test_several_runs_are_each_tested_against_the_best(tmp_path):
    others = Examples([f"other {row}" for row in range(200)], TEXTS, LABELS)
    runs = [
        run_with(tmp_path, "much-worse", 60, seed=0),
        run_with(tmp_path, "best", 10, seed=1),
        run_with(tmp_path, "alike", 11, seed=2),
        run_with(tmp_path, "elsewhere", 30, seed=3, rows=others),
        run_with(tmp_path, "unknown", None, seed=4),
    ]
    found = compare_many(runs)
    assert found["config"] == {"seed": [0, 1, 2, 3, 4]}
    assert found["data"] == {}
    assert found["metrics"]["accuracy"][0]["value"] == 0.7
    assert found["metrics"]["accuracy"][4] is None
    assert found["best"] == "best"
    tests = {each["name"]: each for each in found["against_best"]}
    assert list(tests) == ["much-worse", "alike", "elsewhere"]
    assert tests["much-worse"]["sentence"].startswith("best is better than much-worse: ")
    assert tests["alike"]["verdict"] == "cannot tell"
    assert "cannot be told apart" in tests["alike"]["sentence"]
    assert "ids are on one side only" in tests["elsewhere"]["unpaired"]
    assert compare_many(runs[4:])["best"] == ""


def test_the_release_before_is_of_the_same_model(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    for name in ("m-1", "m-zh-1", "m-cascade-1", "m-2"):
        make_release(workspace, name)
    subject: Any = SimpleNamespace(config=SimpleNamespace(name="m"), name="m-2")
    before = _reference(subject, None, workspace)
    assert before is not None and before.id == "m-1"
    subject.config.name = "new"
    assert _reference(subject, None, workspace) is None
