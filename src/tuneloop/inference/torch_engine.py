"""A Hugging Face folder run by torch, in fp32 or with bf16 weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.inference.engine import Batch
from tuneloop.inference.opening import open_model
from tuneloop.inference.sharing import share_weights
from tuneloop.models.device import choose_device
from tuneloop.models.first_token import read_first_token_only
from tuneloop.models.forward import input_names

if TYPE_CHECKING:
    import torch


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

    def run(self, batches: Iterable[Batch]) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
        """Logits (batch, outputs) for each batch, in order."""
        import torch

        for batch in batches:
            with torch.inference_mode():
                logits = self.model(**self.tensors(batch)).logits.float().cpu().numpy()
            yield logits

    def tensors(self, batch: Batch) -> dict[str, torch.Tensor]:
        """A batch as the model takes it, each (batch, tokens), on its device."""
        import torch

        return {name: torch.from_numpy(batch[name]).to(self.model.device) for name in self._inputs}
