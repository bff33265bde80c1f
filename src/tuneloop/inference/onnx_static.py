"""int8 products whose activation ranges were measured once, on texts: an answer depends on its own text alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.core.errors import MissingExtraError
from tuneloop.inference.engine import Batch

PRODUCTS = ("MatMul", "Gemm")
"""What ONNX calls matrix products."""


class Portions:
    """Batches one by one, as ONNX Runtime's quantiser asks for them: what it heard of one is summed up before the next.

    Without portions it keeps every activation of every batch, and gigabytes are not enough for a few hundred texts.

    Args:
        batches: what the model reads.
        names: the arrays it takes.
    """

    def __init__(self, batches: Sequence[Batch], names: Sequence[str]) -> None:
        self._batches, self._names = batches, names
        self.set_range(0, len(batches))

    def __len__(self) -> int:
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Give these batches next."""
        self._next = iter(self._batches[start_index:end_index])

    def get_next(self) -> dict[str, np.ndarray[Any, np.dtype[Any]]] | None:
        """The next batch; None at the end of the portion."""
        batch = next(self._next, None)
        return None if batch is None else {name: batch[name] for name in self._names}


def quantize_by(batches: Sequence[Batch], source: Path, path: Path, *, names: list[str], left: list[str]) -> None:
    """Write `path`: the ONNX model in `source` with one scale per weight's output and one per activation, for good.

    Weights are signed and activations unsigned, which x86 multiplies fastest. Weights take 7 of their 8 bits: with all
    of them a processor without VNNI cuts off the sums of two products at 16 bits, and answers otherwise than one with.
    What a product gives stays in fp32, so nothing is rounded but what goes in. Ranges reach from the least to the
    greatest that was measured: percentiles, and 8 bits for weights, made no difference on MiniLM.

    Args:
        batches: what the ranges are measured on.
        names: the arrays the model takes.
        left: the products that stay in fp32.
    """
    try:
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    except ImportError:
        raise MissingExtraError("onnxruntime", "onnx") from None

    options = {"CalibStridedMinMax": 1, "OpTypesToExcludeOutputQuantization": list(PRODUCTS)}
    quantize_static(
        source, path, Portions(batches, names), quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=list(PRODUCTS),
        nodes_to_exclude=left, calibrate_method=CalibrationMethod.MinMax, extra_options=options,
    )  # fmt: skip
