"""A Hugging Face folder run by torch, in fp32 or with bf16 weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import ModelError
from tuneloop.inference.engine import Batch
from tuneloop.inference.opening import open_model
from tuneloop.inference.sharing import share_weights
from tuneloop.models.device import choose_device
from tuneloop.models.first_token import read_first_token_only
from tuneloop.models.forward import HeadInput, input_names

if TYPE_CHECKING:
    import torch

FloatArray = np.ndarray[Any, np.dtype[np.float32]]


class TorchEngine:
    """Logits from torch, on the GPU if there is one.

    Args:
        folder: a model folder with config.json and safetensors weights.
        name: torch-fp32 or torch-bf16.

    Raises:
        ModelError: if the folder cannot be loaded.
    """

    max_batch_tokens = 4096

    def __init__(self, folder: Path, name: str) -> None:
        import torch

        self.name = name
        dtype = torch.bfloat16 if name.endswith("bf16") else torch.float32
        model = open_model(folder, dtype=dtype)
        # fp32 is what every other form is held to, so it stays exactly what transformers computes
        model = model if dtype == torch.float32 else read_first_token_only(model)
        self.model = share_weights(model.to(choose_device()))  # type: ignore[arg-type]
        self._inputs = input_names(model)

    def run(self, batches: Iterable[Batch]) -> Iterator[FloatArray]:
        """Logits (batch, outputs) for each batch, in order."""
        for batch in batches:
            yield self._logits(batch)

    @property
    def has_vectors(self) -> bool:
        """Whether `run_with_vectors` can be asked."""
        return self._head_input is not None

    def run_with_vectors(self, batches: Iterable[Batch]) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Logits (batch, outputs) and what the last layer received (batch, hidden), for each batch, in order."""
        assert self._head_input is not None
        for batch in batches:
            tensors = self.tensors(batch)
            yield self._logits(batch), self._head_input.vectors(tensors["attention_mask"]).cpu().numpy()

    def tensors(self, batch: Batch) -> dict[str, torch.Tensor]:
        """A batch as the model takes it, each (batch, tokens), on its device."""
        import torch

        return {name: torch.from_numpy(batch[name]).to(self.model.device) for name in self._inputs if name in batch}

    @cached_property
    def _head_input(self) -> Any:
        """What tells vectors; None where nothing does."""
        if hasattr(self.model, "vectors"):
            return self.model
        try:
            return HeadInput(self.model)
        except ModelError:
            return None

    def _logits(self, batch: Batch) -> FloatArray:
        import torch

        with torch.inference_mode():
            logits: FloatArray = self.model(**self.tensors(batch)).logits.float().cpu().numpy()
        return logits
