"""Virtual tokens of a causal model: learnt keys and values that every text attends to before its own.

They are kept at the attention modules (`before`), where `packed.packed_attention` puts them in front of each text of a
packed row, and of each row of a batch; so no token is repeated for the texts of a row, and no state must be cut away.
Positions of a text begin behind them, as in PEFT.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.models.packed import ATTENTION, use_packed_attention

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedModel


class LayerPrefix(nn.Module):
    """Learnt keys and values of one layer.

    Args:
        start: what they start from, (2, heads, length, d).
        projection: width of a layer that learnt vectors go through; 0 learns keys and values themselves.
    """

    def __init__(self, start: Tensor, projection: int = 0) -> None:
        super().__init__()
        self.shape = start.shape
        _, heads, length, d = start.shape
        self.prefix = nn.Parameter(torch.randn(length, heads * d) * 0.02 if projection else start.clone())
        self.projection = (
            nn.Sequential(nn.Linear(heads * d, projection), nn.Tanh(), nn.Linear(projection, 2 * heads * d))
            if projection
            else None
        )

    def forward(self) -> Tensor:
        """Keys and values, (2, heads, length, d)."""
        if self.projection is None:
            return self.prefix
        _, heads, length, d = self.shape
        both: Tensor = self.projection(self.prefix).view(length, 2, heads, d)
        return both.permute(1, 2, 0, 3)


class Prompt(nn.Module):
    """Learnt word vectors at the beginning of every text, (length, hidden).

    They see nothing but each other, so their keys and values are the same for every text: one pass of these few vectors
    gives them to all texts of a batch. Where nothing learns they are computed once.
    """

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        self.vectors = nn.Parameter(vectors.clone())
        self.reading = False
        self._known: tuple[Any, list[Tensor]] = (None, [])

    def keys_and_values(self, body: nn.Module) -> list[Tensor]:
        """Of each layer, (2, heads, length, d)."""
        now = (self.vectors._version, self.vectors.data_ptr(), self.vectors.dtype, _computes_in(self.vectors))
        if torch.is_grad_enabled() or self._known[0] != now:
            self.reading = True
            try:
                found = _keys_and_values(body, self.vectors)
            finally:
                self.reading = False
            if torch.is_grad_enabled():
                return found
            self._known = now, found
        return self._known[1]


def add_prefix(model: PreTrainedModel, length: int, projection: int = 0) -> None:
    """Put `LayerPrefix` into every layer, in place; they start as the keys and values of random words.

    Raises:
        ModelError: if the model has no place for them.
    """
    attentions = _open(model)
    with torch.no_grad():
        start = _keys_and_values(model.base_model, _random_words(model, length))
    for attention, both in zip(attentions, start, strict=True):
        attention.before = LayerPrefix(both, projection)
    model.base_model.register_forward_pre_hook(partial(_shift, length), with_kwargs=True)


def add_prompt(model: PreTrainedModel, length: int) -> None:
    """Put `Prompt` before every text, in place; it starts as the vectors of random words.

    Raises:
        ModelError: if the model has no place for it.
    """
    attentions = _open(model)
    prompt = Prompt(_random_words(model, length))
    model.base_model.prompt = prompt

    def give(body: Any, positional: tuple[Any, ...], given: dict[str, Any]) -> tuple[Any, Any]:
        if prompt.reading:
            return positional, given
        for attention in attentions:
            attention.before = None
        for attention, both in zip(attentions, prompt.keys_and_values(body), strict=True):
            attention.before = partial(_the_same, both)
        return _shift(length, body, positional, given)

    model.base_model.register_forward_pre_hook(give, with_kwargs=True)


def learnt_prefix(model: PreTrainedModel) -> Tensor:
    """What `add_prefix` has put in, as PEFT keeps it: (length, layers x 2 x heads x d)."""
    layers = torch.stack([attention.before().detach() for attention in attentions_of(model)])
    return layers.permute(3, 0, 1, 2, 4).flatten(1).contiguous()


def attentions_of(model: PreTrainedModel) -> list[Any]:
    """The attention of each layer of a causal model, in order; empty where it is not made as transformers makes it."""
    found = [module for module in model.base_model.modules() if hasattr(module, "layer_idx")]
    found = [module for module in found if type(module).__name__.endswith("Attention")]
    count = getattr(model.config.get_text_config(), "num_hidden_layers", -1)
    return found if [module.layer_idx for module in found] == list(range(count)) else []


def _open(model: PreTrainedModel) -> list[Any]:
    """The attentions of a model that now takes what stands before them."""
    attentions = [] if model.config.is_encoder_decoder else attentions_of(model)
    if attentions and "position_ids" in inspect.signature(model.base_model.forward).parameters:
        use_packed_attention(model, everywhere=True)
    if not attentions or model.config._attn_implementation != ATTENTION:
        raise ModelError(
            t("A model of the kind {model} has no place for a prefix.", model=model.config.model_type),
            t("Choose a model built like Llama or GPT-2, or another method, such as lora."),
        )
    return attentions


def _shift(length: int, _: Any, positional: tuple[Any, ...], given: dict[str, Any]) -> tuple[Any, Any]:
    """A forward pre-hook: positions of a text begin behind the virtual tokens."""
    if positional:
        given, positional = given | {"input_ids": positional[0]}, positional[1:]
    places = given.get("position_ids")
    if places is None:
        ids, past = given["input_ids"], given.get("past_key_values")
        begin = 0 if past is None else past.get_seq_length()
        places = torch.arange(begin, begin + ids.shape[1], device=ids.device)[None]
    return positional, given | {"position_ids": places + length}


def _computes_in(values: Tensor) -> torch.dtype | None:
    kind = values.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None


def _the_same(both: Tensor) -> Tensor:
    return both


def _random_words(model: PreTrainedModel, length: int) -> Tensor:
    """Their vectors, (length, hidden)."""
    words = model.get_input_embeddings()
    rows = torch.randint(len(words.weight), (length,))  # type: ignore[arg-type]
    vectors: Tensor = words(rows.to(model.device)).detach()
    return vectors


def _keys_and_values(body: nn.Module, vectors: Tensor) -> list[Tensor]:
    """What the attention of each layer keeps of word vectors (length, hidden): (2, heads, length, d) each."""
    with _without_checkpoints(body):
        cache = body(inputs_embeds=vectors[None], use_cache=True).past_key_values
    return [torch.cat([layer.keys, layer.values]) for layer in cache.layers]


@contextmanager
def _without_checkpoints(body: nn.Module) -> Iterator[None]:
    """Inside the block layers keep what they compute: those that are computed again for the gradient have no cache."""
    again = [module for module in body.modules() if getattr(module, "gradient_checkpointing", False)]
    for module in again:
        module.gradient_checkpointing = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for module in again:
            module.gradient_checkpointing = True  # type: ignore[assignment]
