"""Texts as vectors of a sentence encoder, a tuned model and an outside one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneloop.core.config import parse_config
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.paths import Workspace
from tuneloop.inference import export, many_texts
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


class Exported:
    """Counts what OpenVINO computes of an encoder that is exported at once, whatever this processor can do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, fails: str = "") -> None:
        self.texts, self.opened = 0, 0
        real = export.open_in_openvino

        def opened(model: Any) -> Any:
            self.opened += 1
            if fails == "export":
                raise ModelError("no such operation", "")
            engine = real(model)
            run = engine.run

            def counted(batches: Any) -> Any:
                if fails == "run":
                    raise ModelError("no kernel for this processor", "")
                whole = list(batches)
                self.texts += sum(len(each["input_ids"]) for each in whole)
                return run(whole)

            engine.run = counted
            return engine

        monkeypatch.setattr(export, "open_in_openvino", opened)
        monkeypatch.setattr(many_texts, "EXPORTED_FROM", 1.0)
        monkeypatch.setattr(many_texts, "choose_precision", lambda *_: "bf16")


TEXTS = [" ".join(["good", "a", "b"] * 5)[: 2 * length + 3] for length in range(12)]


def test_many_texts_are_computed_by_openvino_and_have_the_vectors_of_torch(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    plain = open_embedder(tiny_model)(TEXTS)
    exported = Exported(monkeypatch)
    embed = open_embedder(tiny_model)
    for _ in range(2):
        assert np.allclose(embed(TEXTS), plain, atol=2e-2)
    assert (exported.opened, exported.texts) == (1, 2 * len(TEXTS))
    assert np.allclose(embed(TEXTS[:1]), plain[:1], atol=1e-2)  # a question alone stays with torch
    assert exported.texts == 2 * len(TEXTS)


@pytest.mark.parametrize("fails", ["export", "run"])
def test_where_openvino_fails_torch_goes_on(tiny_model: Path, monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    pytest.importorskip("openvino")
    plain = open_embedder(tiny_model)(TEXTS)
    exported = Exported(monkeypatch, fails=fails)
    embed = open_embedder(tiny_model)
    for _ in range(2):
        assert np.allclose(embed(TEXTS), plain, atol=2e-2)
    assert (exported.opened, exported.texts) == (1, 0)  # and is not tried again


def test_a_few_texts_do_not_pay_for_an_export(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exported = Exported(monkeypatch)
    monkeypatch.setattr(many_texts, "EXPORTED_FROM", 1e12)
    open_embedder(tiny_model)(TEXTS)
    assert exported.opened == 0
