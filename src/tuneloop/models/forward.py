"""One forward pass after the other: token arrays in, logits or the last layer's inputs out."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.data.batches import inference_batches
from tuneloop.models.device import autocast
from tuneloop.models.first_token import sample_batch
from tuneloop.models.load import head_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.data.tokens import Tokens

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]
    IntArray = np.ndarray[Any, np.dtype[Any]]

MAX_TOKENS = 2048
"""Padded tokens of a batch. Two cores are as fast with 2,048 as with 4,096, and need less memory."""


WIDTH_STEP = 4
"""Batches are padded to multiples of this: few shapes, for each of which the kernels are prepared and kept once."""


def input_names(model: PreTrainedModel) -> list[str]:
    """The arrays of a batch that the model takes."""
    known = set(inspect.signature(model.forward).parameters)
    if not getattr(model.config, "type_vocab_size", 0):
        # GPT-2 takes them too, and would add the embedding of token 0 to every token
        known.discard("token_type_ids")
    texts = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in known]
    return [*texts, *getattr(model, "media_inputs", ())]


def padded_width(lengths: IntArray) -> int:
    """How many tokens wide a batch of texts of these lengths is."""
    return -(-int(lengths.max(initial=1)) // WIDTH_STEP) * WIDTH_STEP


def reading_batches(lengths: IntArray, *, max_tokens: int = MAX_TOKENS) -> list[IntArray]:
    """The rows of each batch of texts of these lengths that a model of torch only reads: see `inference_batches`."""
    return inference_batches(lengths, max_tokens=max_tokens, step=WIDTH_STEP)


def positions(model: PreTrainedModel) -> int | None:
    """How many tokens the model has learnt places for; None where places have no table of their own.

    RoBERTa and its kin begin to count behind the number of their padding token.
    """
    import torch

    for name, module in model.named_modules():
        if name.endswith("embed_positions"):  # some of these tables have rows that stand for no place
            return getattr(model.config, "max_position_embeddings", None)
        if name.endswith(("position_embeddings", ".wpe")) and isinstance(module, torch.nn.Embedding):
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    return None


def virtual_tokens(model: PreTrainedModel) -> int:
    """How many virtual tokens stand before every text; 0 in a model without."""
    from tuneloop.models.virtual_tokens import LayerPrefix, Prompt

    for module in model.modules():
        if isinstance(module, Prompt):
            return len(module.vectors)
        if isinstance(module, LayerPrefix):
            return int(module.shape[2])
    return 0


def places_for_texts(model: PreTrainedModel) -> int | None:
    """How many tokens of a text the model has learnt places for behind its virtual tokens; None without a table."""
    room = positions(model)
    return None if room is None else room - virtual_tokens(model)


def to_tensors(model: PreTrainedModel, tokens: Tokens, rows: IntArray) -> dict[str, torch.Tensor]:
    """The given texts as the model takes them, each (batch, tokens), on its device."""
    import torch

    longest, width = int(tokens.lengths[rows].max(initial=1)), padded_width(tokens.lengths[rows])
    room = getattr(model.config, "max_position_embeddings", width)
    batch = tokens.batch(rows, width=width if width <= room else longest)
    return {name: torch.from_numpy(batch[name]).to(model.device) for name in input_names(model) if name in batch}


def alone(model: PreTrainedModel, tokens: Tokens, row: int) -> dict[str, torch.Tensor]:
    """One text as the model takes it, each (1, tokens), on its device; nothing of it is padding."""
    import torch

    arrays = tokens.batch(np.array([row]), width=int(tokens.lengths[row]))
    return {name: torch.from_numpy(arrays[name]).to(model.device) for name in input_names(model)}


def reads_one_sequence(model: PreTrainedModel) -> bool:
    """Whether it reads of a text its tokens alone, and as one sequence."""
    return not hasattr(model, "media_inputs") and not model.config.is_encoder_decoder


def predict_logits(
    model: PreTrainedModel, tokens: Tokens, precision: str, *, max_tokens: int = MAX_TOKENS
) -> FloatArray:
    """Logits in evaluation mode, length-sorted batches, in the order of `tokens`: see `gathered`."""
    answers = ((rows, answer.cpu().numpy()) for rows, _, answer in _forward(model, tokens, precision, max_tokens))
    return gathered(answers, tokens, outputs=head_of(model).out_features)


def gathered(answers: Iterable[tuple[IntArray, FloatArray]], tokens: Tokens, *, outputs: int) -> FloatArray:
    """Rows and their logits, of all batches, as one array: (n, outputs), or (n, longest, outputs) where a model
    answers for every token; what is beyond the end of a text has no meaning.

    Where the logits of several texts are one answer (`Tokens.columns`), they stand side by side: (inputs, columns).
    """
    logits = np.zeros((len(tokens), outputs if tokens.columns == 1 else 1), dtype=np.float32)
    for rows, answer in answers:
        if answer.ndim == 3 and logits.ndim == 2:
            logits = np.zeros((len(tokens), int(tokens.lengths.max(initial=1)), outputs), dtype=np.float32)
        if answer.ndim == 3:
            answer = answer[:, : logits.shape[1]]
            logits[rows, : answer.shape[1]] = answer
        else:
            logits[rows] = answer
    return logits if tokens.columns == 1 else logits.reshape(-1, tokens.columns)


def head_inputs(model: PreTrainedModel, tokens: Tokens, precision: str, *, max_tokens: int = MAX_TOKENS) -> FloatArray:
    """What the last linear layer receives for each text in evaluation mode, (n, hidden), in order.

    Raises:
        ModelError: if the logits are not that layer's answer to one vector per text.
    """
    import torch

    head = head_of(model)
    features = np.zeros((len(tokens), head.in_features), dtype=np.float32)
    with heard_by_head(model) as received:
        for rows, batch, answer in _forward(model, tokens, precision, max_tokens):
            vectors = received(batch["attention_mask"])
            weight, bias = head.weight.float(), None if head.bias is None else head.bias.float()
            difference = (torch.nn.functional.linear(vectors, weight, bias) - answer).abs().max()
            if difference > 0.05 * (1 + answer.abs().max()):  # the room is for bf16
                raise _not_of_the_head()
            features[rows] = vectors.cpu().numpy()
    return features


def judges_every_token(model: PreTrainedModel) -> bool:
    """Whether the head answers for every token of a text, of which the last one counts, as that of a decoder does."""
    import torch

    heard: list[int] = []
    hook = head_of(model).register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0].ndim))
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            model(**sample_batch(model))
    finally:
        hook.remove()
        model.train(training)
    return heard[-1] == 3


@contextmanager
def heard_by_head(model: PreTrainedModel) -> Iterator[Callable[[torch.Tensor], torch.Tensor]]:
    """Inside the block, a function from a batch's attention mask to what the last layer received then, (n, hidden)."""
    received: list[torch.Tensor] = []

    def vectors(mask: torch.Tensor) -> torch.Tensor:
        return _of_texts(received.pop(), mask)

    hook = head_of(model).register_forward_pre_hook(lambda _, inputs: received.append(inputs[0]))
    try:
        yield vectors
    finally:
        hook.remove()


class HeadInput:
    """What the last layer of a model receives, for as long as the model lives; each thread hears its own passes.

    Raises:
        ModelError: if the logits are not that layer's answer to one vector per text.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        import torch

        head, self._heard = head_of(model), threading.local()
        head.register_forward_pre_hook(self._hear)
        batch = sample_batch(model)
        # a decoder finds the last token of a text by the padding behind it
        batch["input_ids"][batch["attention_mask"] == 0] = getattr(model.config, "pad_token_id", None) or 0
        with torch.inference_mode():
            logits = model(**batch).logits
            if not hasattr(self._heard, "last") or logits.ndim != 2:
                raise _not_of_the_head()
            answer = head(self.vectors(batch["attention_mask"]).to(head.weight.dtype))
        if (answer - logits).abs().max() > 0.05 * (1 + logits.abs().max()):  # the room is for bf16
            raise _not_of_the_head()

    def vectors(self, mask: torch.Tensor) -> torch.Tensor:
        """Those of this thread's last batch, which had this attention mask, float32, (batch, hidden)."""
        return _of_texts(self._heard.last, mask)

    def _hear(self, _: Any, inputs: Any) -> None:
        self._heard.last = inputs[0]


def _of_texts(last: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """One vector per text, of what a head received; a decoder judges every token, and its last one counts."""
    import torch

    last = last.float()
    return last if last.ndim == 2 else last[torch.arange(len(mask)), mask.sum(dim=1) - 1]


def _not_of_the_head() -> ModelError:
    return ModelError(
        t("The model's answers are not those of its last linear layer."),
        t("Choose a model with the usual classification head, or method: full."),
    )


def _forward(
    model: PreTrainedModel, tokens: Tokens, precision: str, max_tokens: int
) -> Iterator[tuple[IntArray, dict[str, torch.Tensor], torch.Tensor]]:
    """Rows, their tensors and their logits (batch, outputs), float32, for each batch."""
    import torch

    model.train(False)
    for rows in reading_batches(tokens.sizes, max_tokens=max_tokens):
        batch = to_tensors(model, tokens, rows)
        with torch.inference_mode(), autocast(precision, model.device.type):
            answer = model(**batch).logits.float()
            yield rows, batch, answer
