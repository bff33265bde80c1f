"""An ONNX file run by ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.core.errors import MissingExtraError, ModelError
from tuneloop.core.i18n import t
from tuneloop.inference.engine import Batch


class OnnxEngine:
    """Logits from ONNX Runtime.

    Args:
        path: the .onnx file.
        name: onnx-fp32, onnx-int8 or onnx-int8-static.

    Raises:
        MissingExtraError: if ONNX Runtime is not installed.
        ModelError: if the file cannot be opened.
    """

    max_batch_tokens = 4096

    def __init__(self, path: Path, name: str) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise MissingExtraError("onnxruntime", "onnx") from None
        self.name = name
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # threads that wait for work by spinning take the time of those that have some, here and in other processes
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no common base class
            raise ModelError(
                t("{path} cannot be read: {error}", path=path, error=error), t("Export this form again.")
            ) from error
        self._inputs = [node.name for node in self._session.get_inputs()]

    def run(self, batches: Iterable[Batch]) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
        """Logits (batch, outputs) for each batch, in order."""
        for batch in batches:
            yield self._session.run(["logits"], {name: batch[name] for name in self._inputs})[0]
