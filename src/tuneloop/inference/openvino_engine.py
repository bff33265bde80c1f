"""An OpenVINO model run on the CPU in bf16 (fp32 where the CPU has no bf16), its products in int8 if it has them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.core.errors import MissingExtraError, ModelError
from tuneloop.core.i18n import t
from tuneloop.inference.engine import Batch
from tuneloop.inference.openvino_export import GROUP

STREAMS = 2
"""Batches computed side by side."""


class OpenVinoEngine:
    """Logits from OpenVINO, `STREAMS` batches at a time.

    Args:
        path: the .xml file; its .bin lies beside it.
        name: openvino-bf16 or openvino-int8.

    Raises:
        MissingExtraError: if OpenVINO is not installed.
        ModelError: if the file cannot be opened; and from `run`, where OpenVINO fails on this processor.
    """

    max_batch_tokens = 1024

    def __init__(self, path: Path, name: str) -> None:
        try:
            import openvino
        except ImportError:
            raise MissingExtraError("openvino", "openvino") from None
        self.name = name
        hints = {
            "INFERENCE_PRECISION_HINT": "bf16",
            "NUM_STREAMS": str(STREAMS),
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": str(GROUP),
        }
        try:
            self._model = openvino.Core().compile_model(str(path), "CPU", hints)
        except RuntimeError as error:
            raise ModelError(
                t("{path} cannot be read: {error}", path=path, error=error), t("Export this form again.")
            ) from error
        self._inputs = [port.any_name for port in self._model.inputs]
        self._idle: deque[Any] = deque()

    def run(self, batches: Iterable[Batch]) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
        """Logits (batch, outputs) for each batch, in order."""
        busy: deque[Any] = deque()
        for batch in batches:
            if len(busy) == STREAMS:
                yield self._answer(busy)
            request = self._request()
            with _failures():
                request.start_async({name: batch[name] for name in self._inputs})
            busy.append(request)
        while busy:
            yield self._answer(busy)

    def _request(self) -> Any:
        """A request that nobody uses, as several threads may be here at once."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._model.create_infer_request()

    def _answer(self, busy: deque[Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The logits of the oldest request, copied, because the request will be used again."""
        request = busy.popleft()
        with _failures():
            request.wait()
        logits = np.array(request.get_output_tensor(0).data, dtype=np.float32)
        self._idle.append(request)
        return logits


@contextmanager
def _failures() -> Iterator[None]:
    """OpenVINO's own errors; it compiles for each processor, and for some it fails only at the first batch."""
    try:
        yield
    except RuntimeError as error:
        reason = next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
        raise ModelError(
            t("OpenVINO fails on this processor: {reason}", reason=reason),
            t("Choose another engine, such as torch-fp32 or onnx-int8."),
        ) from error
