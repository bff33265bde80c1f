"""int8 with scales that were measured once: on a graph of a few nodes, and on a model that reads pairs."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneloop.core.errors import ModelError
from tuneloop.data.examples import Input
from tuneloop.inference import predictor as predictors
from tuneloop.inference.engine import Batch
from tuneloop.inference.export import export_form
from tuneloop.inference.onnx_engine import OnnxEngine
from tuneloop.inference.onnx_export import _left_alone, _quantize
from tuneloop.inference.onnx_static import Portions, quantize_by
from tuneloop.inference.predictor import open_predictor

NAMES = ["input_ids", "attention_mask"]
PLAIN, LOUD = [0, 1, 2], [0, 1, 6]
PAIRS: list[Input] = [("good a", f"b {letter} bad") for letter in "abcdefghijklmno"]


def batch(*texts: list[int]) -> Batch:
    """Texts of token ids, padded with 7."""
    width = max(map(len, texts))
    ids = np.array([[*text, *[7] * (width - len(text))] for text in texts], dtype=np.int64)
    mask = np.array([[1] * len(text) + [0] * (width - len(text)) for text in texts], dtype=np.int64)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One layer of attention with a mask of -3.4e38, a dense product before it and two behind; token 6 stands out."""
    from onnx import TensorProto, helper, numpy_helper, save

    random = np.random.default_rng(0)
    words = random.normal(size=(8, 16)).astype(np.float32)
    words[6] *= 4
    weights = {"dense": (16, 16), "between": (16, 16), "head": (16, 3)}
    arrays = {name: random.normal(size=shape).astype(np.float32) / 8 for name, shape in weights.items()}
    arrays |= {"words": words, "one": np.float32(1), "hidden": np.float32(np.finfo(np.float32).min)}
    arrays |= {"axis": np.array([1]), "first": np.array(0)}
    nodes = [
        helper.make_node("Gather", ["words", "input_ids"], ["states"]),
        helper.make_node("MatMul", ["states", "dense"], ["keys"], "product_dense"),
        helper.make_node("Transpose", ["keys"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["keys", "turned"], ["scores"], "product_attention"),
        helper.make_node("Cast", ["attention_mask"], ["seen"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["one", "seen"], ["unseen"]),
        helper.make_node("Mul", ["unseen", "hidden"], ["flat"]),
        helper.make_node("Unsqueeze", ["flat", "axis"], ["mask"]),
        helper.make_node("Add", ["scores", "mask"], ["masked"]),
        helper.make_node("Softmax", ["masked"], ["shares"], axis=-1),
        helper.make_node("MatMul", ["shares", "keys"], ["mixed"], "product_mixed"),
        helper.make_node("Gather", ["mixed", "first"], ["pooled"], axis=1),
        helper.make_node("MatMul", ["pooled", "between"], ["dressed"], "product_between"),
        helper.make_node("MatMul", ["dressed", "head"], ["logits"], "product_head"),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in NAMES]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])]
    constants = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def left_alone(source: Path) -> list[str]:
    """The products that stay in fp32, the last two among them."""
    import onnx

    return _left_alone(onnx.load(source).graph, 2)


@pytest.fixture(scope="module")
def static(source: Path) -> Path:
    path = source.with_name("static.onnx")
    measured = [batch([word, other, 3]) for word in range(7) for other in range(7)]
    quantize_by([*measured, batch(PLAIN, [4])], source, path, names=NAMES, left=left_alone(source))
    return path


def logits(path: Path, *texts: list[int]) -> Any:
    return next(iter(OnnxEngine(path, "onnx").run([batch(*texts)])))


def test_only_products_with_constant_weights_are_quantised_and_the_last_ones_are_left(
    source: Path, static: Path
) -> None:
    import onnx

    left = {"product_attention", "product_mixed", "product_between", "product_head"}
    assert set(left_alone(source)) == left
    graph = onnx.load(static).graph
    rounded = [node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"]
    assert rounded == ["states"]  # neither scores and masks of attention, nor what a product gives
    bytes_ = [tensor.name for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.INT8 and tensor.dims]
    assert any(name.startswith("dense") for name in bytes_)
    assert not any(name.startswith(("between", "head")) for name in bytes_)


def test_answers_are_those_of_fp32_but_for_rounding(source: Path, static: Path) -> None:
    for texts in ([PLAIN], [LOUD], [PLAIN, [3, 4]]):
        expected = logits(source, *texts)
        assert 0 < np.abs(logits(static, *texts) - expected).max() < 0.2 * np.abs(expected).max()


def test_a_word_that_stands_out_disturbs_its_neighbours_only_where_a_scale_is_that_of_a_batch(
    source: Path, static: Path
) -> None:
    dynamic = source.with_name("dynamic.onnx")
    _quantize(source, dynamic, left=left_alone(source))
    changes = [np.abs(logits(path, PLAIN) - logits(path, PLAIN, LOUD)[:1]).max() for path in (static, dynamic)]
    assert changes[0] < 1e-6 < 1e-3 < changes[1]


def test_no_more_than_one_batch_is_held_at_a_time(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from onnxruntime.quantization import calibrate

    held, summed = [], calibrate.MinMaxCalibrater.compute_data
    monkeypatch.setattr(
        calibrate.MinMaxCalibrater,
        "compute_data",
        lambda self: held.append(len(self.intermediate_outputs)) or summed(self),
    )
    quantize_by([batch(PLAIN)] * 9, source, source.with_name("few.onnx"), names=NAMES, left=left_alone(source))
    assert max(held) == 1 and sum(held) == 9


def test_a_quantiser_gets_one_batch_after_the_other_with_what_the_model_takes() -> None:
    portions = Portions([batch([n]) for n in range(5)], ["input_ids"])
    assert len(portions) == 5
    portions.set_range(3, 4)
    only = portions.get_next()
    assert only is not None and list(only) == ["input_ids"] and only["input_ids"][0, 0] == 3
    assert portions.get_next() is None


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that judges pairs."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    place = tmp_path_factory.mktemp("pairs")
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(tiny_model, num_labels=2)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(place)
    (place / "tokenizer.json").write_bytes((tiny_model / "tokenizer.json").read_bytes())
    settings = {"task": {"type": "pair", "options": {}}, "state": {"labels": ["x", "y"]}, "max_tokens": 16, "clean": {}}
    (place / "tuneloop.json").write_text(json.dumps(settings), encoding="utf-8")
    return place


def test_a_model_of_pairs_is_calibrated_on_pairs(folder: Path) -> None:
    with closing(open_predictor(folder)) as predictor:
        expected, measured = predictor.logits(PAIRS), predictor.calibration(PAIRS)
    assert all(each["token_type_ids"].any() for each in measured)
    export_form(folder, "onnx-int8-static", folder, calibration=measured)
    with closing(open_predictor(folder, engine="onnx-int8-static")) as predictor:
        found = predictor.logits(PAIRS)
        alone = np.concatenate([predictor.logits([pair]) for pair in PAIRS])
    assert 0 < np.abs(found - expected).max() < 0.1 * np.abs(expected).max()
    assert np.abs(found - alone).max() < 1e-5 < 1e-3 < np.abs(found[0] - found[1]).max()


def test_nothing_that_is_measured_is_padding_and_there_is_an_end_to_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Input] = [(f"a {'b ' * n}", "c") for n in range(9)]
    with closing(open_predictor(folder)) as predictor:
        batches = predictor.calibration(given)
        assert all(each["attention_mask"].all() for each in batches)
        assert sum(len(each["input_ids"]) for each in batches) == 9
        monkeypatch.setattr(predictors, "MEASURED_TOKENS", 20)
        assert 0 < sum(each["input_ids"].size for each in predictor.calibration(given)) <= 20
        monkeypatch.setattr(predictors, "MEASURED_TOKENS", 1)
        assert sum(len(each["input_ids"]) for each in predictor.calibration(given)) == 1
        assert predictor.calibration([]) == []


def test_without_texts_nothing_is_calibrated(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="onnx-int8-static needs texts"):
        export_form(folder, "onnx-int8-static", tmp_path)
    assert list(tmp_path.iterdir()) == []
