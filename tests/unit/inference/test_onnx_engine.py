"""How ONNX Runtime is asked to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuneloop.inference.onnx_engine import OnnxEngine


def test_no_thread_spins_while_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper

    node = helper.make_node("Identity", ["input_ids"], ["logits"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ("input_ids", "logits")]
    graph = helper.make_graph([node], "same", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, tmp_path / "model.onnx")
    asked, session = [], onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda path, options, **rest: asked.append(options) or session(path, options, **rest),
    )
    OnnxEngine(tmp_path / "model.onnx", "onnx-fp32")
    assert [each.get_session_config_entry("session.intra_op.allow_spinning") for each in asked] == ["0"]
