"""The whole way for methods whose weights are kept in different ways: tune, evaluate, release, answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tuneloop as tl

CHOSEN = {
    "lora": {"type": "lora"},
    "lora-apart": {"type": "lora", "keep": "apart"},
    "adapter": {"type": "adapter"},
    "prefix": {"type": "prefix", "projection": 16, "rate_scale": 10},
    "pet-gpt": {"type": "pet", "template": "{text} {mask}", "verbalizer": {"no": "a", "yes": "b"}},
}


RARELY = ("lora", "adapter", "prefix")
"""Are merged, or lie apart as another one does; `make test-long` tries them."""


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.long if name in RARELY else ()) for name in CHOSEN])
def released(request: Any, tiny_model: Path, gpt: Path, texts_csv: Path, monkeypatch: Any) -> Any:
    """A run of the method, and its release."""
    monkeypatch.chdir(texts_csv.parent)
    config = {
        "name": "small",
        "data": {"source": texts_csv.name, "split": {"dev": 0.2, "test": 0.3}, "clean": {"duplicates": "exact"}},
        "method": CHOSEN[request.param],
        "model": {"source": str(gpt if request.param.endswith("gpt") else tiny_model), "max_tokens": 20},
        "training": {"epochs": 20, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []},
        "release": {"forms": ["onnx-fp32"]},
    }
    Path("tuneloop.yaml").write_text(json.dumps(config))
    run = tl.tune(quiet=True)
    tl.evaluate(run, quiet=True)
    return run, tl.release(run, quiet=True)


def test_its_release_answers_as_it_was_evaluated_and_beats_the_majority(released: Any, made_up: Any) -> None:
    run, release = released
    inputs = made_up("classification").split("test").inputs
    assert release.predictor("torch-fp32").scores(inputs) == pytest.approx(run.handle().scores(inputs), abs=1e-6)
    assert release.info["forms"]["onnx-fp32"]["max_difference"] < 1e-3
    figures = json.loads((release.path / "evaluation.json").read_text())["metrics"]["macro_f1"]
    assert figures["low"] > 0.4  # two of three texts are of one class: always this one gives 0.4
