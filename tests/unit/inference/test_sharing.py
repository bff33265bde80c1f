from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tuneloop.core.config import parse_config
from tuneloop.core.paths import Workspace
from tuneloop.inference import sharing
from tuneloop.inference.predictor import open_predictor
from tuneloop.inference.sharing import share_weights
from tuneloop.training.run import Run, tune


def trained(source: Path, workspace: Path, made_up: Any, *, method: dict[str, Any], seed: int) -> Run:
    config = {
        "seed": seed,
        "data": {"source": "x.csv"},
        "method": method,
        "model": {"source": str(source), "max_tokens": 16},
        "training": {"epochs": 4, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []},
    }
    return tune(parse_config(config), snapshot=made_up("classification"), workspace=Workspace(workspace), quiet=True)


@pytest.fixture(scope="module")
def big_words(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with layers large enough to be shared."""
    import shutil

    from transformers import BertConfig, BertForMaskedLM

    path = tmp_path_factory.mktemp("wide")
    torch.manual_seed(0)
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
    config = BertConfig(vocab_size=22, max_position_embeddings=64, initializer_range=0.2, **shape)
    BertForMaskedLM(config).save_pretrained(path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_model / name, path / name)
    return path


ADAPTERS = [
    {"type": "lora", "keep": "apart"},
    {"type": "ia3", "keep": "apart"},
    {"type": "adalora", "keep": "apart"},
    {"type": "adapter", "size": 8},
    {"type": "prefix", "length": 4},
]


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(each, id=each["type"], marks=[] if each["type"] == "lora" else pytest.mark.long)
        for each in ADAPTERS
    ],
)
def test_two_adapters_on_one_base_answer_exactly_as_two_separate_models(
    big_words: Path, tmp_path: Path, made_up: Any, method: dict[str, Any]
) -> None:
    runs = [trained(big_words, tmp_path, made_up, method=method, seed=seed) for seed in (0, 1)]
    inputs = made_up("classification").split("test").inputs
    alone = []
    for run in runs:
        handle = open_predictor(run.model_path)
        alone.append(handle.logits(inputs))
        del handle
        gc.collect()
    assert np.abs(alone[0] - alone[1]).max() > 1e-3  # they are two models

    together = [open_predictor(run.model_path) for run in runs]
    for _ in range(2):  # in turn
        for handle, expected in zip(together, alone, strict=True):
            assert np.array_equal(handle.logits(inputs), expected)
    first, second = ({each.data_ptr(): each.nbytes for each in handle.engine.model.parameters()} for handle in together)
    shared = sum(first[place] for place in first.keys() & second.keys())
    assert shared > 0.6 * sum(first.values())
    sizes = [sum(file.stat().st_size for file in (run.model_path / "base").iterdir()) for run in runs]
    assert all(
        (run.model_path / "adapter.safetensors").stat().st_size < size for run, size in zip(runs, sizes, strict=True)
    )


BENT = [ADAPTERS[0], ADAPTERS[3], ADAPTERS[4], {"type": "prompt", "length": 4}]
"""One method of each way of changing a model: weights beside weights, layers, keys and values, words."""


@pytest.mark.long
@pytest.mark.parametrize("form", ["onnx-fp32", "openvino-bf16"])
@pytest.mark.parametrize("method", BENT, ids=lambda method: method["type"])
def test_what_is_kept_apart_answers_alike_in_exported_forms(
    big_words: Path, tmp_path: Path, made_up: Any, method: dict[str, Any], form: str
) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    from tuneloop.inference.export import export_form

    run = trained(big_words, tmp_path, made_up, method=method, seed=0)
    inputs = made_up("classification").split("test").inputs
    export_form(run.model_path, form, run.model_path)
    ours, plain = (open_predictor(run.model_path, engine=engine).scores(inputs) for engine in (form, "torch-fp32"))
    assert np.abs(ours - plain).mean() < (1e-4 if form == "onnx-fp32" else 0.02)


def test_weights_that_differ_are_left_apart_and_memory_goes_with_the_last_model() -> None:
    def layer(value: float) -> Any:
        made = torch.nn.Linear(128, 128, bias=False).requires_grad_(False)
        made.weight.fill_(value)
        return share_weights(made)  # type: ignore[arg-type]

    first, second, third = layer(1.0), layer(1.0), layer(2.0)
    assert first.weight.data_ptr() == second.weight.data_ptr() != third.weight.data_ptr()
    del first
    gc.collect()
    fourth = layer(1.0)
    assert fourth.weight.data_ptr() == second.weight.data_ptr()
    del second, third, fourth
    gc.collect()
    fifth = layer(3.0)
    assert len(sharing._known) == 1
    del fifth


def test_a_weight_that_is_trained_is_never_shared() -> None:
    first, second = (torch.nn.Linear(128, 128, bias=False) for _ in range(2))
    with torch.no_grad():
        second.weight.copy_(first.weight)
    share_weights(first), share_weights(second)  # type: ignore[arg-type]
    assert first.weight.data_ptr() != second.weight.data_ptr()


def test_weights_that_begin_alike_are_compared_to_their_last_byte() -> None:
    layers = [torch.nn.Linear(128, 128, bias=False).requires_grad_(False) for _ in range(3)]
    for layer in layers:
        layer.weight.fill_(0.0)
    layers[1].weight[-1, -1] = -0.0  # equal as a number, not as it lies in memory
    for layer in layers:
        share_weights(layer)  # type: ignore[arg-type]
    places = [layer.weight.data_ptr() for layer in layers]
    assert places[0] == places[2] != places[1]
