"""Every engine on a tiny random model: the same answers, whatever the neighbours."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tuneloop.abstaining.abstainer import Abstainer, Calibrated
from tuneloop.abstaining.choice import fit_detectors
from tuneloop.abstaining.folder import keep_abstainer
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.inference.engine import ENGINES
from tuneloop.inference.export import export_form
from tuneloop.inference.measure import measure_engine
from tuneloop.inference.predictor import open_predictor

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghij"]
OPENVINO_FILES = {f"openvino_model{kind}.{end}" for kind in ("", "_int8") for end in ("xml", "bin")}
TEXTS = ["a b", "c", "a b", "d e f g h " * 6, "j i h", "b " * 3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification

    path = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128,
        max_position_embeddings=32, num_labels=3, initializer_range=0.1,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(path)
    inner = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    inner.save(str(path / "tokenizer.json"))
    settings = {
        "task": {"type": "classification", "options": {}}, "state": {"labels": ["x", "y", "z"]},
        "max_tokens": 16, "clean": {}, "trust_remote_code": False,
    }  # fmt: skip
    (path / "tuneloop.json").write_text(json.dumps(settings), encoding="utf-8")
    for form in ("onnx-fp32", "onnx-int8", "openvino-bf16", "openvino-int8"):
        files = export_form(path, form, path)
        assert all(file.is_file() for file in files)
    with closing(open_predictor(path)) as predictor:
        whole = path / "onnx" / "model.onnx"
        export_form(path, "onnx-int8-static", path, calibration=predictor.calibration(TEXTS), whole=whole)
    return path


@pytest.mark.parametrize(
    ("engine", "tolerance"),
    [
        ("torch-fp32", 1e-5),
        ("onnx-fp32", 1e-5),
        ("torch-bf16", 0.03),
        ("openvino-bf16", 0.03),
        ("openvino-int8", 0.05),
        ("onnx-int8", 0.05),
        ("onnx-int8-static", 0.05),
    ],
)
def test_every_engine_agrees_with_torch(folder: Path, engine: str, tolerance: float) -> None:
    expected = open_predictor(folder).scores(TEXTS)
    assert np.abs(open_predictor(folder, engine=engine).scores(TEXTS) - expected).max() < tolerance


@pytest.mark.parametrize("engine", ["torch-fp32", "onnx-fp32", "onnx-int8-static", "openvino-bf16", "openvino-int8"])
def test_an_answer_does_not_depend_on_its_neighbours(folder: Path, engine: str) -> None:
    predictor = open_predictor(folder, engine=engine)
    together = predictor.scores(TEXTS)
    alone = np.concatenate([predictor.scores([text]) for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(together[0] - together[1]).max() > 1e-3  # a constant model would pass the line above


@pytest.mark.parametrize("engine", ["torch-fp32", "torch-bf16", "onnx-fp32", "openvino-bf16"])
def test_an_engine_without_vectors_abstains_by_its_logits(folder: Path, tmp_path: Path, engine: str) -> None:
    copy = shutil.copytree(folder, tmp_path / "model")
    with closing(open_predictor(folder)) as predictor:
        dev = predictor.read([f"{first} {second}" for first in "abcde" for second in "fghij"])
        detectors = fit_detectors(dev, np.arange(25) % 3, seed=0, names=("mahalanobis", "energy"))
        expected = predictor.predict(TEXTS)
    keep_abstainer(Abstainer(tuple(Calibrated.on(each, dev) for each in detectors.values()), 0.1), copy)
    with closing(open_predictor(copy, engine=engine)) as predictor:
        used = predictor.abstainer.used(predictor.read(TEXTS)).detector.name
        assert used == ("mahalanobis" if engine.startswith("torch") else "energy") and "energy" in detectors
        found = predictor.predict(TEXTS)
    assert found[0] == found[2] and len(found) == len(TEXTS)
    assert [each.label for each in found] == [each.label for each in expected]
    assert [each.truncated for each in found] == [each.truncated for each in expected]
    assert all(0 <= each.outside < 1 and each.abstained == (each.outside >= 0.9) for each in found)


def test_equal_texts_are_computed_once_and_cut_texts_say_so(folder: Path) -> None:
    predictor = open_predictor(folder)
    answers = predictor.predict(TEXTS)
    assert answers[0] == answers[2]
    assert [answer.truncated for answer in answers] == [False, False, False, True, False, False]
    assert predictor.logits([]).shape == (0, 3)
    predictor.close()
    with pytest.raises(ModelError, match="closed"):
        predictor.logits(["a"])


def test_what_is_asked_is_cleaned_like_what_was_taught(folder: Path) -> None:
    predictor = open_predictor(folder)
    assert np.array_equal(predictor.scores(["a\x00 b\ufeff"]), predictor.scores(["a b"]))
    assert predictor.count_tokens(["a\x00 b"]).tolist() == predictor.count_tokens(["a b"]).tolist()
    as_it_comes = predictor.clean.model_copy(update={"control": False})
    predictor.clean = as_it_comes
    assert not np.array_equal(predictor.scores(["a\x00 b"]), predictor.scores(["a b"]))


def test_no_leftovers_lie_beside_the_exported_files(folder: Path) -> None:
    onnx_files = {"model.onnx", "model_int8.onnx", "model_int8_static.onnx"}
    assert {file.name for file in (folder / "onnx").iterdir()} == onnx_files
    assert {file.name for file in (folder / "openvino").iterdir()} == OPENVINO_FILES


def test_unknown_engines_and_missing_files_are_one_clear_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="torch-fp64"):
        open_predictor(folder, engine="torch-fp64")
    with pytest.raises(ModelError, match=r"model\.onnx is missing"):
        open_predictor(folder, engine="onnx-fp32", form_folder=tmp_path)
    with pytest.raises(ModelError, match=r"tuneloop\.json"):
        open_predictor(tmp_path)
    with pytest.raises(ConfigError, match="torch-fp32"):
        export_form(folder, "torch-fp32", tmp_path)
    assert "torch-fp32" in ENGINES


def test_a_speed_is_measured(folder: Path) -> None:
    speed = measure_engine(open_predictor(folder), TEXTS, seconds=0.02)
    assert speed.texts_per_s > 0
    assert speed.latency_ms > 0


def test_int8_stores_its_large_weights_in_bytes_and_keeps_the_last_ones(folder: Path) -> None:
    import openvino

    model = openvino.Core().read_model(folder / "openvino" / "openvino_model_int8.xml")
    weights = [node for node in model.get_ordered_ops() if node.get_type_name() == "Constant" and len(node.shape) == 2]
    bytes_ = [node for node in weights if node.get_element_type() == openvino.Type.i8]
    assert len(bytes_) == 2 * 6  # two layers: query, key, value, attention output, feed-forward in and out
    assert [3, 128] not in [list(node.shape) for node in bytes_]
    assert [3, 128] in [list(node.shape) for node in weights]


def test_many_threads_may_ask_one_model_at_once(folder: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    predictor = open_predictor(folder, engine="openvino-bf16")
    expected = predictor.scores(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: predictor.scores(TEXTS), range(40)))
    assert all(np.array_equal(answer, expected) for answer in answers)
