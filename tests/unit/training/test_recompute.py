"""Gradient checkpointing: the same gradients from layers that are computed twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tuneloop.core.config import TrainingConfig, parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.core.paths import Workspace
from tuneloop.training.cpu import use_cheap_operations
from tuneloop.training.loop import backward
from tuneloop.training.prepare import prepare
from tuneloop.training.recompute import recomputed
from tuneloop.training.run import tune


def settings(model: Path, method: object, task: str = "generation", **training: object) -> dict:
    plain = {"epochs": 1, "batch_size": 8, "precision": "fp32", "report_to": []}
    return {
        "data": {"source": "x.csv"}, "task": {"type": task, "dropout": 0.1}, "method": method,
        "model": {"source": str(model), "max_tokens": 48 if task == "generation" else 16}, "training": plain | training,
    }  # fmt: skip


@pytest.mark.parametrize("method", ["full", "lora", "prefix", "prompt", "dpo"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_gradients_are_the_same(made_up: type, chat_model: Path, method: str, precision: str) -> None:
    ready = prepare(parse_config(settings(chat_model, method)), made_up("generation"))
    model, config, rows = ready.model, TrainingConfig(), np.arange(8)
    use_cheap_operations(model, precision)
    targets = torch.from_numpy(ready.train.targets(ready.task))
    ready.method.begin(model, ready.task, ready.train, total=1, per_epoch=1, precision=precision)
    calls: list[int] = []
    model.model.layers[0].self_attn.register_forward_hook(lambda *_: calls.append(1))
    found = []
    for wanted in (False, True):
        calls.clear()
        model.train()
        torch.manual_seed(0)
        with recomputed(model, wanted=wanted):
            backward(model, ready.task, ready.method, ready.train.tokens, targets, rows, config, precision)
        passes = 2 if method == "prompt" else 1  # its vectors are read by themselves, once
        assert len(calls) == passes + wanted
        found.append({name: value.grad for name, value in model.named_parameters() if value.requires_grad})
        model.zero_grad(set_to_none=True)
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    assert any(value.abs().sum() > 0 for value in found[0].values())


def test_a_run_that_computes_again_has_the_same_weights(made_up: type, tiny_model: Path, tmp_path: Path) -> None:
    weights = []
    for again in (False, True):
        config = parse_config(settings(tiny_model, "full", "classification", gradient_checkpointing=again))
        run = tune(config, snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True)
        weights.append((run.model_path / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
    assert config.fingerprint() == parse_config(settings(tiny_model, "full", "classification")).fingerprint()


def test_without_steps_there_is_nothing_to_compute_again(made_up: type, tiny_model: Path, tmp_path: Path) -> None:
    config = parse_config(settings(tiny_model, "probe", "classification", gradient_checkpointing=True))
    with pytest.raises(ConfigError, match="gradient_checkpointing needs training in steps"):
        tune(config, snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True)


def test_a_run_of_learnt_vectors_computes_again_too(
    made_up: type, chat_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.llama.modeling_llama import LlamaAttention

    passes: list[bool] = []
    forward = LlamaAttention.forward
    monkeypatch.setattr(
        LlamaAttention,
        "forward",
        lambda self, *given, **named: passes.append(self.training) or forward(self, *given, **named),
    )
    counts = []
    for again in (False, True):
        passes.clear()
        config = parse_config(settings(chat_model, "prompt", gradient_checkpointing=again))
        tune(config, snapshot=made_up("generation"), workspace=Workspace(tmp_path), quiet=True)
        counts.append(sum(passes))
    # a pass of the vectors and one of the texts, which is taken again
    assert counts[1] * 2 == counts[0] * 3 > 0
