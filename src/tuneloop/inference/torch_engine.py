"""A Hugging Face folder run by torch, in fp32 or with bf16 weights."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.inference.engine import Batch
from tuneloop.inference.first_token import read_first_token_only

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class TorchEngine:
    """Logits from torch on the CPU.

    Args:
        folder: a model folder with config.json and safetensors weights.
        name: torch-fp32 or torch-bf16.
        trust_remote_code: run code that comes with the model.

    Raises:
        ModelError: if the folder cannot be loaded.
    """

    max_batch_tokens = 4096

    def __init__(self, folder: Path, name: str, *, trust_remote_code: bool = False) -> None:
        import torch

        self.name = name
        dtype = torch.bfloat16 if name.endswith("bf16") else torch.float32
        model = load_model(folder, dtype, trust_remote_code=trust_remote_code)
        # fp32 is what every other form is held to, so it stays exactly what transformers computes
        self._model = model if dtype == torch.float32 else read_first_token_only(model)
        self._inputs = input_names(model)

    def run(self, batches: Iterable[Batch]) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
        """Logits (batch, outputs) for each batch, in order."""
        import torch

        for batch in batches:
            with torch.inference_mode():
                arrays = {name: torch.from_numpy(batch[name]) for name in self._inputs}
                logits = self._model(**arrays).logits.float().numpy()
            yield logits


def load_model(folder: Path, dtype: Any, *, trust_remote_code: bool) -> PreTrainedModel:
    """The classifier in `folder`, ready to answer; from safetensors and from this disk alone.

    Raises:
        ModelError: if the folder cannot be loaded or wants code that is not trusted.
    """
    from transformers import AutoModelForSequenceClassification

    from tuneloop.models.load import refuse_untrusted_code

    if not (folder / "config.json").is_file():
        raise ModelError(
            t("{folder} is not a model folder: config.json is missing.", folder=folder),
            t("Give a folder written by save_pretrained, a hub id, or pkg:PACKAGE/FOLDER."),
        )
    refuse_untrusted_code(folder, trust_remote_code=trust_remote_code)
    try:
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True, trust_remote_code=trust_remote_code
        )
    except Exception as error:  # a damaged folder makes transformers and safetensors raise many kinds
        raise ModelError(
            t("The model in {folder} cannot be loaded: {error}", folder=folder, error=error),
            t("The files may be damaged; copy or train the model again."),
        ) from error
    return model.eval()  # type: ignore[no-any-return]


def input_names(model: PreTrainedModel) -> list[str]:
    """The arrays of a batch that the model takes."""
    known = inspect.signature(model.forward).parameters
    return [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in known]
