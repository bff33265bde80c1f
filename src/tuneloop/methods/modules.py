"""The modules that methods put into a model; apart from the methods, so that naming one does not import torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Bottleneck(nn.Module):
    """x + U f(D x) with D from width to size and U back; U f(D x) is close to zero at first.

    Args:
        width: of the hidden states.
        size: of the narrow part.
        activation: f.
    """

    def __init__(self, width: int, size: int, activation: type[nn.Module] = nn.GELU) -> None:
        super().__init__()
        self.down, self.activation, self.up = nn.Linear(width, size), activation(), nn.Linear(size, width)
        for layer in (self.down, self.up):
            nn.init.trunc_normal_(layer.weight, std=0.01, a=-0.02, b=0.02)  # as in section 3.6 of Houlsby et al.
            nn.init.zeros_(layer.bias)

    def change(self, hidden: Tensor) -> Tensor:
        """U f(D x)."""
        changed: Tensor = self.up(self.activation(self.down(hidden)))
        return changed

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.change(hidden)


class NormedOutput(nn.Module):
    """The output part of a BERT layer with an adapter between its two sums.

    Args:
        output: dense, dropout and LayerNorm, as they are.
        adapter: reads what LayerNorm gives; its answer is added to what `dense` gives.
    """

    def __init__(self, output: nn.Module, adapter: Bottleneck) -> None:
        super().__init__()
        self.output, self.adapter = output, adapter

    def forward(self, hidden_states: Tensor, input_tensor: Tensor) -> Tensor:
        own = self.output.dropout(self.output.dense(hidden_states))
        normed = self.output.LayerNorm(own + input_tensor)
        answer: Tensor = self.output.LayerNorm(own + self.adapter.change(normed) + input_tensor)
        return answer


class PrefixedAttention(nn.Module):
    """BERT's self-attention, to which every text brings the same learnt keys and values before its own.

    Args:
        attention: as it is.
        length: learnt positions.
        projection: width of the layer that the learnt vectors go through; 0 learns keys and values themselves.
    """

    def __init__(self, attention: nn.Module, length: int, projection: int = 0) -> None:
        super().__init__()
        self.attention = attention
        self.heads, width = int(attention.num_attention_heads), int(attention.query.out_features)  # type: ignore[arg-type, union-attr]
        self.prefix = nn.Parameter(torch.randn(length, width if projection else 2 * width) * 0.02)
        self.projection = (
            nn.Sequential(nn.Linear(width, projection), nn.Tanh(), nn.Linear(projection, 2 * width))
            if projection
            else nn.Identity()
        )

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, past_key_values: Any = None, **given: Any
    ) -> Any:
        batch, length = hidden_states.shape[0], self.prefix.shape[0]
        both = self.projection(self.prefix).to(hidden_states.dtype)
        keys, values = both.view(length, 2, self.heads, -1).permute(1, 2, 0, 3)[:, None].expand(2, batch, -1, -1, -1)
        if attention_mask is not None:
            shape = (*attention_mask.shape[:-1], length)
            seen = torch.ones if attention_mask.dtype == torch.bool else torch.zeros
            learnt = seen(shape, dtype=attention_mask.dtype, device=attention_mask.device)
            attention_mask = torch.cat([learnt, attention_mask], dim=-1)
        return self.attention(
            hidden_states, attention_mask=attention_mask, past_key_values=_Before(keys, values), **given
        )


class _Before:
    """Keys and values, each (batch, heads, length, width), in front of those of a text: the part of a cache."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self.keys, self.values = keys, values

    def update(self, keys: Tensor, values: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
        return torch.cat([self.keys.to(keys.dtype), keys], dim=2), torch.cat(
            [self.values.to(values.dtype), values], dim=2
        )


class PromptedEmbedding(nn.Module):
    """Word embeddings in which the positions after the first are learnt vectors.

    Args:
        embedding: as it is.
        first: what the vectors start from, (length, width).
    """

    def __init__(self, embedding: nn.Module, first: Tensor) -> None:
        super().__init__()
        self.embedding, self.prompt = embedding, nn.Parameter(first.clone())

    def forward(self, input_ids: Tensor) -> Tensor:
        vectors: Tensor = self.embedding(input_ids)
        prompt = self.prompt.to(vectors.dtype).expand(
            vectors.shape[0], -1, -1
        )  # len() would be a constant of a traced model
        return torch.cat([vectors[:, :1], prompt, vectors[:, 1 + self.prompt.shape[0] :]], dim=1)


def make_room(length: int, _: nn.Module, positional: tuple[Any, ...], given: dict[str, Any]) -> tuple[Any, Any]:
    """A forward pre-hook: `length` positions after the first token of `input_ids`, which the mask counts in."""
    if positional:
        given, positional = given | {"input_ids": positional[0]}, positional[1:]
    ids = given["input_ids"]
    room = ids.new_zeros(ids.shape[0], length)
    wider = {"input_ids": torch.cat([ids[:, :1], room, ids[:, 1:]], dim=1)}
    if given.get("attention_mask") is not None:
        mask = given["attention_mask"]
        wider["attention_mask"] = torch.cat([mask[:, :1], torch.ones_like(room, dtype=mask.dtype), mask[:, 1:]], dim=1)
    if given.get("token_type_ids") is not None:
        types = given["token_type_ids"]
        wider["token_type_ids"] = torch.cat([types[:, :1], torch.zeros_like(room), types[:, 1:]], dim=1)
    return positional, given | wider
