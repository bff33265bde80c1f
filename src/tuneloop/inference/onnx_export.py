"""A model as an ONNX file, in fp32 or with int8 matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import MissingExtraError
from tuneloop.inference.engine import Batch
from tuneloop.inference.onnx_static import PRODUCTS, quantize_by

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def write_onnx(
    model: PreTrainedModel, path: Path, *, names: list[str], int8: bool, kept: int, calibration: Sequence[Batch] = ()
) -> Path:
    """Write `path`, one file; returns it.

    Args:
        model: in fp32.
        names: the arrays the model takes.
        int8: multiply in int8, see `write_int8`; `kept` and `calibration` belong to it.
    """
    if not int8:
        _export(model, path, names)
        return path
    source = path.with_name("source.onnx")
    _export(model, source, names)
    return write_int8(source, path, kept=kept, calibration=calibration)


def write_int8(source: Path, path: Path, *, kept: int, calibration: Sequence[Batch] = ()) -> Path:
    """Write `path`: the model of an ONNX file in fp32, its products in int8; returns it.

    There is one weight scale per output and one activation scale per batch: the smallest and most portable file, but a
    text's answer depends on its neighbours.

    Args:
        kept: matrix products at the end that stay in fp32.
        calibration: batches that fix the activation scales for good, whatever texts come.
    """
    import onnx

    graph = onnx.load(source).graph
    left = _left_alone(graph, kept)
    if calibration:
        quantize_by(calibration, source, path, names=[each.name for each in graph.input], left=left)
    else:
        _quantize(source, path, left=left)
    return path


def _export(model: PreTrainedModel, path: Path, names: list[str]) -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(error.name or "onnx", "onnx") from None
    import torch

    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim.DYNAMIC}
    torch.onnx.export(
        model, (), str(path), kwargs={name: torch.ones(2, 7, dtype=torch.int64) for name in names}, dynamo=True,
        external_data=False, verbose=False, input_names=names, output_names=["logits"],
        dynamic_shapes={name: axes for name in names},
    )  # fmt: skip


def _left_alone(graph: Any, kept: int) -> list[str]:
    """The matrix products that stay in fp32: those without constant weights, as in attention, and the last `kept`."""
    weights = {tensor.name for tensor in graph.initializer}
    products = [node for node in graph.node if node.op_type in PRODUCTS]
    dense = [node.name for node in products if weights & set(node.input)]
    return [node.name for node in products if node.name not in dense[:-kept]]


def _quantize(source: Path, path: Path, *, left: list[str]) -> None:
    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError:
        raise MissingExtraError("onnxruntime", "onnx") from None

    quantize_dynamic(
        source, path, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=list(PRODUCTS),
        nodes_to_exclude=left,
    )  # fmt: skip
