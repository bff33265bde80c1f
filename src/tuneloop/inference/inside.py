"""What only some predictors can give: the torch model with its embedding layer, and the mask of the tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.inference.torch_engine import TorchEngine

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.data.examples import Input
    from tuneloop.inference.predictor import Predictor

ENGINE = "torch-fp32"
"""The engine whose model can be looked into: others have no gradients, or round them."""


@dataclass(frozen=True)
class Reading:
    """One input as the model takes it.

    Args:
        tensors: what the model is called with, each (1, tokens).
        texts: the number of the text in which each token stands, -1 where it stands in none, int64, (tokens,).
        places: the characters of each token in its text, from and to, int64, (tokens, 2).
    """

    tensors: dict[str, torch.Tensor]
    texts: np.ndarray[Any, np.dtype[np.int64]]
    places: np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Inside:
    """A predictor's torch model in fp32, which answers in evaluation mode.

    Args:
        model: a model of transformers with `logits` (texts, outputs); its weights ask for no gradient.
        embedding: the layer that turns token ids into vectors, (texts, tokens, hidden).
        predictor: whose model it is.
    """

    model: PreTrainedModel
    embedding: torch.nn.Module
    predictor: Predictor

    def read(self, item: Input) -> Reading:
        """An input, mended already, as tensors, with the place of every token.

        Raises:
            ModelError: if the model reads it in another way than as one row of tokens.
        """
        predictor, found = self.predictor, None
        tokens = predictor.tokenizer.encode([item])
        placed = getattr(predictor.tokenizer, "placed", None)
        if placed is not None and len(tokens) == 1:
            found = placed(item)
        if found is None or found[:, 0].tolist() != tokens.ids.tolist():
            raise ModelError(
                t("The model {name} reads texts in a way of its own.", name=predictor.name),
                t("Take a method that only asks it for answers."),
            )
        engine: Any = predictor.engine
        return Reading(engine.tensors(tokens.batch(np.arange(1))), found[:, 1], found[:, 2:])

    @property
    def blank_id(self) -> int:
        """The token that says least: the mask, else the unknown word, else the padding."""
        tokenizer = self.predictor.tokenizer
        try:
            return int(tokenizer.marks.mask)
        except (ModelError, AttributeError):
            unknown = getattr(tokenizer, "unknown_id", None)
            return int(tokenizer.pad_id if unknown is None else unknown)


def look_inside(handle: Any) -> Inside | None:
    """The torch model behind a handle; None where there is none in fp32."""
    predictor = _predictor(handle)
    engine = getattr(predictor, "engine", None)
    if not isinstance(engine, TorchEngine) or engine.name != ENGINE:
        return None
    if not hasattr(engine.model, "get_input_embeddings") or hasattr(engine.model, "media_inputs"):
        # several models behind one door
        return None
    return Inside(engine.model, engine.model.get_input_embeddings(), predictor)


def mask_token(handle: Any) -> str | None:
    """What a text may hold in place of a word that is hidden; None where the model reads no such token in texts."""
    tokenizer = getattr(_predictor(handle), "tokenizer", None)
    found = getattr(tokenizer, "mask_text", None)
    return None if found is None else str(found)


def mended(handle: Any, item: Input) -> Input:
    """An input as the model reads it, mended as the texts were that it learnt from."""
    mend = getattr(_predictor(handle), "mended", None)
    return item if mend is None else mend([item])[0]  # type: ignore[no-any-return]


def _predictor(handle: Any) -> Any:
    """What answers: a model that remembers has it inside."""
    return getattr(handle, "model", handle)
