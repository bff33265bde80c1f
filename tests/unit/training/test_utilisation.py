"""Operations of training, on a tiny BERT whose answer costs what is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tuneloop.core.config import parse_config
from tuneloop.core.paths import Workspace
from tuneloop.models.first_token import read_first_token_only
from tuneloop.models.flops import forward_flops
from tuneloop.models.roofline import Roofline, keep, machine
from tuneloop.training.prepare import Prepared, prepare
from tuneloop.training.run import tune
from tuneloop.training.utilisation import training_flops


@pytest.fixture
def config(tiny_model: Path) -> Callable[..., Any]:
    def settings(method: dict[str, Any]) -> Any:
        training = {"epochs": 2, "batch_size": 8, "precision": "fp32", "report_to": []}
        model = {"source": str(tiny_model), "max_tokens": 16}
        return parse_config({"data": {"source": "x.csv"}, "model": model, "method": method, "training": training})

    return settings


LENGTHS = [5, 6, 7]


def learning(ready: Prepared, config: Any, cache: Path) -> float:
    return training_flops(ready, config.training, cache).of(LENGTHS)


def answering(ready: Prepared) -> float:
    found = forward_flops(ready.model)
    assert found is not None
    return found.of(LENGTHS)


def test_learning_everything_costs_three_answers(config: Any, made_up: Any, tmp_path: Path) -> None:
    settings = config({"type": "full"})
    ready = prepare(settings, made_up("classification"))
    # the first layer's input needs a gradient too: the word vectors learn
    assert learning(ready, settings, tmp_path) == pytest.approx(3 * answering(ready), rel=0.02)


def test_frozen_weights_need_no_gradient_of_their_own(config: Any, made_up: Any, tmp_path: Path) -> None:
    settings = config({"type": "lora", "rank": 1})
    ready = prepare(settings, made_up("classification"))
    assert learning(ready, settings, tmp_path) < 2.6 * answering(ready)


def test_a_run_tells_its_share_once_the_machine_was_measured(config: Any, made_up: Any, tmp_path: Path) -> None:
    workspace, settings = Workspace(tmp_path), config({"type": "full"})
    snapshot = made_up("classification")
    before = tune(settings, snapshot=snapshot, workspace=workspace, quiet=True)
    assert "flops_share" not in before.info and before.info["flops"]["per_token"] > 0
    now = datetime.now(UTC).isoformat()
    keep(Roofline(fp32=1e12, bf16=1e12, int8=None, memory=1e10, machine=machine(), measured=now), workspace.cache)
    after = tune(settings, snapshot=snapshot, workspace=workspace, quiet=True)
    info = json.loads((after.path / "run.json").read_text())
    assert info["flops_share"] == pytest.approx(info["flops_per_s"] / 1e12)
    ready = prepare(settings, snapshot)
    read_first_token_only(ready.model)  # as training does: the last layer answers for the first token alone
    cost = training_flops(ready, settings.training, tmp_path)
    assert info["flops_per_s"] * info["steps_s"] == pytest.approx(2 * cost.of(ready.train.tokens.lengths))
    assert (before.path / "metrics.jsonl").read_bytes() == (after.path / "metrics.jsonl").read_bytes()
