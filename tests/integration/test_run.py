"""A run on the packaged MiniLM: trained, saved, opened by transformers alone, answered alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import ConfigError, TrainingError
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.inference.predictor import open_predictor
from tuneloop.training.run import open_run, tune

TEXTS = [
    f"{word} {noun}" for word in ("good", "great", "bad", "awful") for noun in ["film", "meal", "room", "phone", "day"]
]


class Ratings:
    """20 texts with stars from 1 to 5; the same rows in each split, as only the plumbing is tested."""

    hash = "abc"
    labels = ()

    def split(self, name: str) -> Examples:
        stars = [5.0] * 10 + [1.0] * 10
        return Examples([str(row) for row in range(20)], TEXTS, stars)


def config(**settings: object) -> RunConfig:
    plain = {
        "data": {"source": "x.csv"},
        "task": "regression",
        "training": {"epochs": 6, "precision": "fp32", "learning_rate": 5e-4},
    }
    return parse_config(plain | settings)


def test_a_run_answers_in_the_units_of_the_labels_and_as_transformers_does(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    workspace = Workspace(tmp_path)
    run = tune(config(), snapshot=Ratings(), workspace=workspace, quiet=True)
    assert open_run("latest", workspace).id == run.id
    values = run.handle().scores(TEXTS)[:, 0]
    assert values[:10].mean() > values[10:].mean() + 1
    assert abs(values.mean() - 3) < 1.5

    model = AutoModelForSequenceClassification.from_pretrained(run.model_path)
    tokenizer = AutoTokenizer.from_pretrained(run.model_path)
    theirs = model(**tokenizer(TEXTS, padding=True, return_tensors="pt")).logits.detach().numpy()[:, 0]
    assert values == pytest.approx(theirs, abs=1e-4)


@pytest.mark.long
@pytest.mark.parametrize(("form", "tolerance"), [("onnx-fp32", 1e-3), ("openvino-bf16", 0.1)])
def test_an_exported_minilm_agrees_with_torch(tmp_path: Path, form: str, tolerance: float) -> None:
    from tuneloop.inference.export import export_form

    short = {"epochs": 1, "precision": "fp32"}
    run = tune(config(training=short), snapshot=Ratings(), workspace=Workspace(tmp_path), quiet=True)
    expected = run.handle().scores(TEXTS)
    export_form(run.model_path, form, run.model_path)
    found = open_predictor(run.model_path, engine=form).scores(TEXTS)
    assert np.abs(found - expected).max() < tolerance


def test_a_run_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="There is no run in"):
        open_run("latest", Workspace(tmp_path))


def test_an_unknown_method_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean full"):
        tune(config(method="ful"), snapshot=Ratings(), workspace=Workspace(tmp_path), quiet=True)
    assert not list(tmp_path.iterdir())
