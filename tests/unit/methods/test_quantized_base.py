"""LoRA on a base in few bits: it learns, is kept apart, opens as it was, and PEFT opens the adapter."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from tuneloop.core.config import parse_config
from tuneloop.core.errors import ConfigError, MissingExtraError
from tuneloop.core.paths import Workspace
from tuneloop.inference.predictor import open_predictor
from tuneloop.models import quantized
from tuneloop.models.load import load_writer
from tuneloop.training.run import tune

needs_bits = pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="extra: quantized")


def settings(model: Path, task: str = "generation", **method: object) -> dict:
    training = {"epochs": 6, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []}
    return {
        "data": {"source": "x.csv"}, "task": task, "method": {"type": "lora", **method},
        "model": {"source": str(model), "max_tokens": 48 if task == "generation" else 16}, "training": training,
    }  # fmt: skip


def test_without_the_extra_it_says_what_to_install(
    chat_model: Path, made_up: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantized, "PACKAGES", ("no_such_package",))
    with pytest.raises(MissingExtraError, match=r"tuneloop\[quantized\]"):
        tune(parse_config(settings(chat_model, base_bits=4)), snapshot=made_up("generation"),
             workspace=Workspace(tmp_path), quiet=True)  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_it_is_for_models_that_write(tiny_model: Path, made_up: type, tmp_path: Path) -> None:
    config = parse_config(settings(tiny_model, "classification", base_bits=8))
    with pytest.raises(ConfigError, match="base_bits needs a model that writes"):
        tune(config, snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True)


@needs_bits
@pytest.mark.parametrize("bits", [4, 8])
def test_it_learns_and_opens_in_as_many_bits(talking_model: Path, made_up: type, tmp_path: Path, bits: int) -> None:
    from peft import PeftModel

    config = parse_config(settings(talking_model, base_bits=bits))
    run = tune(config, snapshot=made_up("generation"), workspace=Workspace(tmp_path), quiet=True)
    full = load_writer(talking_model)
    assert run.info["model"]["parameters"] - run.info["model"]["trained_parameters"] == full.num_parameters()
    test = made_up("generation").split("test")
    writer = run.handle()
    layer = writer.engine.model.model.layers[0].self_attn.q_proj
    assert type(layer.get_base_layer()).__name__ == {4: "Linear4bit", 8: "Linear8bitLt"}[bits]
    before, _ = writer.task.likelihoods(
        full, writer.tokenizer.encode(writer.task.lessons(test.inputs, test.labels)), "fp32"
    )
    after, _ = writer.likelihoods(test.inputs, test.labels)
    assert after.sum() > before.sum() / 2
    adapted = PeftModel.from_pretrained(load_writer(talking_model, bits=bits), run.path / "adapter").eval()
    ids = torch.from_numpy(writer.tokenizer.encode(test.inputs[:1]).ids).long()[None]
    with torch.inference_mode():
        theirs = adapted(input_ids=ids).logits[0, -1].numpy()
    assert writer.logits(test.inputs[:1])[0] == pytest.approx(theirs, abs=0.02 * float(abs(theirs).max()))
    half = open_predictor(run.model_path, engine="torch-bf16")
    assert half.logits(test.inputs[:1])[0] == pytest.approx(theirs, abs=0.1 * float(abs(theirs).max()))
    assert writer.scores(test.inputs[:3])[0].text


@needs_bits
@pytest.mark.parametrize("bits", [4, 8])
def test_an_evaluation_takes_no_gradient_away(chat_model: Path, bits: int) -> None:
    model = load_writer(chat_model, bits=bits)
    words = model.get_input_embeddings()(torch.arange(5, 15)[None]).detach()
    found = []
    for _ in range(2):
        given = words.clone().requires_grad_()
        model.train()
        model(inputs_embeds=given).logits.square().sum().backward()
        found.append(given.grad)
        model.eval()
        with torch.inference_mode():
            model(inputs_embeds=words)
    assert found[0].abs().sum() > 0
    torch.testing.assert_close(*found)
