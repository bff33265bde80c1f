"""A model folder as OpenVINO files, straight from torch, so that attention stays one fused operation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import MissingExtraError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LANES = 16
"""Numbers in the widest registers. Softmax adds up what is over by itself, so the same text in a wider
batch is added up in another order, and a last bit that differs can grow to 0.01 in a probability."""

GROUP = 128
"""Activations of one token that share a scale; a matrix product with an indivisible depth stays in bf16."""


def write_openvino(model: PreTrainedModel, path: Path, *, names: list[str], int8: bool, kept: int) -> list[Path]:
    """Write `path` (.xml) and the .bin beside it; returns both.

    Args:
        model: in fp32; the engine chooses the precision it computes in.
        names: the arrays the model takes, in order.
        int8: store the weights of the matrix products in int8 with one scale per output, so that
            the engine multiplies in int8 with a scale per token and group of `GROUP` activations.
            A scale per token, unlike one per batch, keeps a text's answer free of its neighbours.
        kept: matrix products at the end that are left alone.
    """
    try:
        import openvino
    except ImportError:
        raise MissingExtraError("openvino", "openvino") from None
    import torch

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *arrays: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.model(**dict(zip(names, arrays, strict=True))).logits
            return logits

    converted = openvino.convert_model(Logits(), example_input=_example(names))
    for port, name in zip(converted.inputs, names, strict=True):
        port.get_tensor().set_names({name})
    _fill_lanes(converted)
    if int8:
        _compress(converted, kept)
    openvino.save_model(converted, str(path), compress_to_fp16=False)
    return [path, path.with_suffix(".bin")]


def _example(names: list[str]) -> tuple[Any, ...]:
    """Two texts of which one is padded: without padding, tracing would lose the attention mask."""
    import torch

    mask = torch.ones(2, 7, dtype=torch.int64)
    mask[1, 5:] = 0
    return tuple(
        mask.clone() if name == "attention_mask" else torch.zeros_like(mask) + (name == "input_ids") for name in names
    )


def _fill_lanes(converted: Any) -> None:
    """Pad keys, values and mask of every attention to whole registers, with tokens that nobody attends to."""
    from openvino import Type, opset13

    attentions = [node for node in converted.get_ordered_ops() if node.get_type_name() == "ScaledDotProductAttention"]
    zero, filled = opset13.constant(np.float32(0)), {}

    def fill(node: Any, number: int, axis: int, value: Any, extra: Any) -> None:
        port = node.input_value(number)
        source = port.get_node().get_friendly_name(), port.get_index()
        if source not in filled:  # all layers share one mask
            ends = [extra if each == axis else opset13.constant([0]) for each in range(4)]
            padded = opset13.pad(
                port, opset13.constant([0] * 4), opset13.concat(ends, 0), "constant", arg_pad_value=value
            )
            filled[source] = padded.output(0)
        node.input(number).replace_source_output(filled[source])

    for node in attentions:
        if node.get_input_size() < 4 or node.input_value(3).get_partial_shape().rank != 4:
            continue
        # of the keys as they come: once they are filled, nothing would be missing for the values
        extra = opset13.floor_mod(opset13.negative(_size(node.input_value(1), axis=2)), opset13.constant([LANES]))
        is_boolean = node.input_value(3).get_element_type() == Type.boolean
        fill(node, 3, 3, opset13.constant(False) if is_boolean else opset13.constant(np.float32(-np.inf)), extra)
        fill(node, 1, 2, zero, extra)
        fill(node, 2, 2, zero, extra)


def _size(port: Any, *, axis: int) -> Any:
    """The size of one axis, shape (1,)."""
    from openvino import opset13

    return opset13.gather(opset13.shape_of(port), opset13.constant([axis]), opset13.constant(0))


def _compress(converted: Any, kept: int) -> None:
    """Replace the weights of the matrix products by int8 and a scale, `w = q * max|w of an output| / 127`."""
    from openvino import opset13

    products = [node for node in converted.get_ordered_ops() if _has_dense_weights(node)]
    for node in products[: len(products) - kept]:
        weights = node.input_value(1).get_node().data
        scale = np.maximum(np.abs(weights).max(axis=1, keepdims=True), np.finfo(np.float32).tiny) / 127
        whole = opset13.convert(opset13.constant(np.rint(weights / scale).astype(np.int8)), np.float32)
        node.input(1).replace_source_output(
            opset13.multiply(whole, opset13.constant(scale.astype(np.float32))).output(0)
        )


def _has_dense_weights(node: Any) -> bool:
    """Whether this is `x @ w.T` with a constant w, (outputs, depth), whose depth falls into whole groups."""
    if node.get_type_name() != "MatMul" or node.input_value(1).get_node().get_type_name() != "Constant":
        return False
    shape = list(node.input_value(1).get_shape())
    return bool(node.get_attributes()["transpose_b"]) and len(shape) == 2 and shape[1] % GROUP == 0
