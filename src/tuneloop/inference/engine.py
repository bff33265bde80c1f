"""The contract of an engine: batches of token arrays in, logits out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tuneloop.data.batches import inference_batches
from tuneloop.models.forward import gathered

if TYPE_CHECKING:
    from tuneloop.data.tokens import Tokens

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]

Batch = Mapping[str, np.ndarray[Any, np.dtype[Any]]]
"""`input_ids`, `attention_mask`, `token_type_ids`, each int64 (batch, tokens); an engine takes what its model knows."""


class Engine(Protocol):
    """One way to run a model: torch, ONNX Runtime or OpenVINO, in one precision."""

    name: str
    """One of `ENGINES`, for example torch-fp32."""

    max_batch_tokens: int
    """The padded tokens per batch at which this engine is fastest."""

    def run(self, batches: Iterable[Batch]) -> Iterator[FloatArray]:
        """Logits (batch, outputs) for each batch, in order; an engine may work on several at once.

        An engine that also tells vectors says so by `has_vectors`, and has `run_with_vectors`.
        """


def logits_by(engine: Engine, tokens: Tokens, *, outputs: int) -> FloatArray:
    """Logits in the order of `tokens`, computed in batches of the engine's size: see `gathered`."""
    groups = inference_batches(tokens.sizes, max_tokens=engine.max_batch_tokens)
    answers = engine.run(tokens.batch(rows) for rows in groups)
    return gathered(zip(groups, answers, strict=True), tokens, outputs=outputs)


DYNAMIC = "onnx-int8"
"""int8 with one activation scale for each batch."""

STATIC = "onnx-int8-static"
"""int8 with activation scales that were measured on texts, once."""

EXITS = "torch-exits"
"""Torch, where texts that the model is sure of early leave before its last layer; for folders with exits alone."""

ENGINES: dict[str, str | None] = {
    "torch-fp32": None,
    "torch-bf16": None,
    EXITS: None,
    "onnx-fp32": "onnx/model.onnx",
    DYNAMIC: "onnx/model_int8.onnx",
    STATIC: "onnx/model_int8_static.onnx",
    "openvino-bf16": "openvino/openvino_model.xml",
    "openvino-int8": "openvino/openvino_model_int8.xml",
}
"""Engine to the file it runs, relative to its folder; None where the Hugging Face folder is enough."""
