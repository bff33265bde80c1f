"""An OpenVINO model run on the CPU in bf16 (fp32 where the CPU has no bf16)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.core.errors import MissingExtraError, ModelError
from tuneloop.core.i18n import t
from tuneloop.inference.engine import Batch

STREAMS = 2
"""Batches computed side by side."""


class OpenVinoEngine:
    """Logits from OpenVINO, `STREAMS` batches at a time.

    Args:
        path: the .xml file; its .bin lies beside it.
        name: openvino-bf16.

    Raises:
        MissingExtraError: if OpenVINO is not installed.
        ModelError: if the file cannot be opened.
    """

    max_batch_tokens = 2048

    def __init__(self, path: Path, name: str) -> None:
        try:
            import openvino
        except ImportError:
            raise MissingExtraError("openvino", "openvino") from None
        self.name = name
        hints = {"INFERENCE_PRECISION_HINT": "bf16", "NUM_STREAMS": str(STREAMS)}
        try:
            self._model = openvino.Core().compile_model(str(path), "CPU", hints)
        except RuntimeError as error:
            raise ModelError(
                t("{path} cannot be read: {error}", path=path, error=error), t("Export this form again.")
            ) from error
        self._inputs = [port.any_name for port in self._model.inputs]

    def run(self, batches: Iterable[Batch]) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
        """Logits (batch, outputs) for each batch, in order."""
        idle = [self._model.create_infer_request() for _ in range(STREAMS)]
        busy: deque[Any] = deque()
        for batch in batches:
            if not idle:
                yield _answer(busy, idle)
            request = idle.pop()
            request.start_async({name: batch[name] for name in self._inputs})
            busy.append(request)
        while busy:
            yield _answer(busy, idle)


def _answer(busy: deque[Any], idle: list[Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The logits of the oldest request, copied, because the request will be used again."""
    request = busy.popleft()
    request.wait()
    logits = np.array(request.get_output_tensor(0).data, dtype=np.float32)
    idle.append(request)
    return logits
