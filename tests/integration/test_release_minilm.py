"""From a run on the packaged MiniLM to a release whose every form was proven against torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuneloop.core.config import parse_config
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.releases.read import open_release
from tuneloop.releases.write import write_release
from tuneloop.training.run import tune

NOUNS = ["film", "meal", "room", "phone", "day"]
TEXTS = [f"{word} {noun}" for word in ("good", "great", "bad", "awful") for noun in NOUNS]
DEV = Examples([str(row) for row in range(20)], TEXTS, ["positive"] * 10 + ["negative"] * 10)


class Sentiment:
    """The same 20 rows in each split: what is tested is that all forms answer alike."""

    hash = "abc"
    labels = ("negative", "positive")

    def split(self, name: str) -> Examples:
        return DEV


@pytest.mark.long
def test_every_form_of_a_release_answers_as_the_trained_model(tmp_path: Path) -> None:
    training = {"epochs": 8, "learning_rate": 5e-4, "precision": "fp32"}
    config = parse_config({"name": "mood", "data": {"source": "x.csv"}, "training": training})
    workspace = Workspace(tmp_path)
    run = tune(config, snapshot=Sentiment(), workspace=workspace, quiet=True)
    expected = run.handle().scores(TEXTS)
    made = write_release(run.path, workspace=workspace, config=config, dev=DEV, evaluation={"metrics": {}})

    release = open_release("mood-1", workspace)
    assert release.info["data_hash"] == "abc"
    accepted = {name: form for name, form in made.info["forms"].items() if form["accepted"]}
    assert {"torch-fp32", "onnx-fp32", "openvino-bf16"} <= accepted.keys()
    assert release.engine in accepted
    for engine, form in accepted.items():
        difference = float(abs(release.predictor(engine).scores(TEXTS) - expected).max())
        assert difference == pytest.approx(form.get("max_difference", 0.0), abs=1e-3), engine
        if form.get("batch_effect", 0.0) <= config.release.max_batch_effect:  # else it never answers by default
            assert difference < 0.1, engine
    assert [answer.label for answer in release.predict(["good day", "awful meal"])] == ["positive", "negative"]
