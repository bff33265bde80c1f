"""Texts as vectors of a sentence encoder, a tuned model and an outside one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tuneloop.core.config import parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.core.paths import Workspace
from tuneloop.inference.embedder import open_embedder
from tuneloop.releases.read import Release
from tuneloop.training.run import tune


def tuned(task: str, tiny_model: Path, made_up: type, folder: Path) -> Path:
    training = {"epochs": 1, "batch_size": 8, "precision": "fp32", "report_to": []}
    plain = {"data": {"source": "x.csv"}, "task": task, "training": training}
    settings = parse_config(plain | {"model": {"source": str(tiny_model), "max_tokens": 16}})
    return tune(settings, snapshot=made_up(task), workspace=Workspace(folder), quiet=True).model_path


def test_the_vectors_of_a_pretrained_encoder_are_its_first_token(tiny_model: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    texts = ["good a b", "bad", "good a b"]
    found = open_embedder(tiny_model)(texts)
    tokens = AutoTokenizer.from_pretrained(tiny_model)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = AutoModel.from_pretrained(tiny_model)(**tokens).last_hidden_state[:, 0]
    assert found.dtype == np.float32 and np.allclose(found, torch.nn.functional.normalize(hidden, dim=1), atol=1e-3)


def test_a_model_tuned_for_retrieval_gives_the_vectors_it_was_tuned_for(
    tiny_model: Path, made_up: type, tmp_path: Path
) -> None:
    from tuneloop.inference.predictor import open_predictor

    folder = tuned("retrieval", tiny_model, made_up, tmp_path)
    found = open_embedder(folder)(["a", "b c"])
    assert np.allclose(np.hstack(found), open_predictor(folder).scores([("a", "b c")])[0], atol=1e-5)
    assert open_embedder(folder).identity != open_embedder(tiny_model).identity
    assert np.allclose(Release("x-1", folder, {"engine": "torch-fp32"}).embedder()(["a", "b c"]), found, atol=1e-5)


def test_a_model_without_vectors_is_refused(tiny_model: Path, made_up: type, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="classification, which gives no vectors"):
        open_embedder(tuned("classification", tiny_model, made_up, tmp_path))


def test_tokens_that_the_model_does_not_know_are_counted(tiny_model: Path) -> None:
    embedder = open_embedder(tiny_model)
    assert [embedder.known(text) for text in ("good a", "good zebra 好", "zebra", "")] == [
        1,
        pytest.approx(1 / 3),
        0,
        0,
    ]


def test_many_texts_of_all_lengths_have_the_vectors_that_each_has_alone(tiny_model: Path) -> None:
    embed = open_embedder(tiny_model)
    texts = [" ".join(["good", "a", "b"] * 5)[: 2 * length + 3] for length in range(12)]
    alone = np.concatenate([embed([text]) for text in texts])
    assert np.allclose(embed(texts), alone, atol=1e-2)  # bf16, where the machine computes in it
