"""A classifier that reads only its first token needs only that token from its last layer.

Its other tokens are still attended to, so the answer is the same to the last rounding, but the
queries, the output projection and the feed-forward part of the last layer are computed for one
token of each text instead of all: a seventh of the work of six-layer MiniLM. So it is in training,
where no gradient comes back through the other tokens, and nothing of them has to be kept for it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def read_first_token_only(model: PreTrainedModel) -> PreTrainedModel:
    """The model with its last layer shortened, in place, where that changes no answer.

    Works for models built like BERT (RoBERTa, ELECTRA, ...); any other comes back as it was. Whether
    the head reads the first token alone is not guessed from the model's name but tried.
    """
    import torch

    layers = encoder_layers(model)
    if not layers or not is_like_bert(layers[-1]) or not getattr(model, "reads_first_token", True):
        return model
    sample, last, training = sample_batch(model), layers[-1], model.training
    model.eval()
    with torch.inference_mode():
        before = model(**sample).logits
        last.forward = partial(_forward, last, attends_to_all_alike(last))
        try:
            after, room = model(**sample).logits, 1e-4 if before.dtype == torch.float32 else 0.1
            same = after.shape == before.shape and torch.allclose(after, before, atol=room)
        except (IndexError, RuntimeError):  # the head asks for a token that is no longer there
            same = False
    if not same:
        del last.forward
    return model.train(training)


def encoder_layers(model: PreTrainedModel) -> Any:
    """The transformer layers of a model that has them where BERT has them, else None."""
    body = getattr(model, "base_model", None)  # several models behind one door have none
    return getattr(getattr(body, "encoder", None), "layer", None)


def is_like_bert(layer: torch.nn.Module) -> bool:
    """Whether a transformer layer has the parts of BERT's and does nothing else."""
    attention = getattr(layer, "attention", None)
    inner = getattr(attention, "self", None)
    parts = [getattr(inner, name, None) for name in ("query", "key", "value")]
    return (
        all(parts)
        and all(hasattr(layer, name) for name in ("intermediate", "output"))
        and hasattr(attention, "output")
        and not any(getattr(layer, name, False) for name in ("is_decoder", "add_cross_attention"))
    )


def attends_to_all_alike(layer: Any) -> bool:
    """Whether the queries are zero, so that what a token receives is the mean of all values."""
    query = layer.attention.self.query
    return not any(getattr(query, name).any() for name in ("weight", "bias") if getattr(query, name, None) is not None)


def _forward(
    layer: Any, alike: bool, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None = None, *_: Any, **__: Any
) -> torch.Tensor:
    """Of hidden states (batch, tokens, hidden) the first token's successor, (batch, 1, hidden).

    Args:
        alike: whether the layer attends to all tokens alike.
    """
    from torch.nn.functional import scaled_dot_product_attention

    inner = layer.attention.self
    first = hidden_states[:, :1]
    if alike:
        return _finish(layer, inner.value(_mean(hidden_states, attention_mask)), first)
    heads = (inner.num_attention_heads, -1)
    query, key, value = (
        part.unflatten(-1, heads).transpose(1, 2)
        for part in (inner.query(first), inner.key(hidden_states), inner.value(hidden_states))
    )
    mask = None if attention_mask is None else attention_mask[:, :, :1]
    drop = inner.dropout.p if layer.training else 0.0
    mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=drop).transpose(1, 2).flatten(2)
    return _finish(layer, mixed, first)


def _finish(layer: Any, mixed: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
    """What a layer makes of the first token and of what attention has mixed for it, each (batch, 1, hidden)."""
    attended = layer.attention.output(mixed, first)
    answer: torch.Tensor = layer.output(layer.intermediate(attended), attended)
    return answer


def _mean(hidden_states: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
    """The mean over the tokens that are no padding, (batch, 1, hidden).

    Args:
        attention_mask: (batch, 1, queries, tokens), true or 0 where a token counts, or None.
    """
    if attention_mask is None:
        return hidden_states.mean(dim=1, keepdim=True)
    import torch

    mask = attention_mask[:, 0, :1]
    counts = (mask if mask.dtype == torch.bool else mask == 0).to(hidden_states.dtype)
    return counts @ hidden_states / counts.sum(dim=-1, keepdim=True)


def sample_batch(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Two texts of random tokens, one of them padded, without touching anybody's random state."""
    import torch

    random = torch.Generator().manual_seed(0)
    ids = torch.randint(model.config.vocab_size, (2, 9), generator=random)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    return {"input_ids": ids.to(model.device), "attention_mask": mask.to(model.device)}
