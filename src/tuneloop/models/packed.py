"""Many texts as one row without padding: every matrix product sees real tokens alone, and no text sees another.

Krell et al., "Efficient Sequence Packing without Cross-contamination" (2021). Attention is the one part in which
tokens of a text meet; it is told where each text begins.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedModel

ATTENTION = "tuneloop_packed"
"""The name under which transformers finds `packed_attention`."""


def use_packed_attention(model: PreTrainedModel, *, everywhere: bool = False, device: str = "") -> None:
    """Let a causal model attend text by text, in place: on the CPU; elsewhere transformers does so by itself.

    Args:
        everywhere: also on a GPU.
        device: where the model will be; where it is by default.
    """
    if model.config.is_encoder_decoder:  # which has two texts for each input
        return
    if model.config._attn_implementation != "sdpa" or not (everywhere or (device or model.device.type) == "cpu"):
        return
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(ATTENTION, packed_attention)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)
    model.set_attn_implementation(ATTENTION)


def pack(input_ids: Tensor, attention_mask: Tensor) -> dict[str, Any]:
    """A padded batch (texts, width) as the arguments of one row of all its tokens.

    Returns:
        `input_ids` and `position_ids`, (1, tokens), and where the texts begin under the names that transformers gives
        to kernels for such rows: `cu_seq_lens_q` and `cu_seq_lens_k`, (texts + 1,), `max_length_q` and `max_length_k`.
    """
    import torch

    mask = attention_mask.bool()
    lengths = mask.sum(dim=1)
    edges = torch.zeros(len(lengths) + 1, dtype=torch.int32, device=mask.device)
    edges[1:] = lengths.cumsum(dim=0)
    places = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
    longest = int(lengths.max())
    return {
        "input_ids": input_ids[mask][None],
        "position_ids": places[mask][None],
        "cu_seq_lens_q": edges,
        "cu_seq_lens_k": edges,
        "max_length_q": longest,
        "max_length_k": longest,
    }


def packed_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    cu_seq_lens_q: Tensor | None = None,
    **given: Any,
) -> tuple[Tensor, Tensor | None]:
    """Causal attention of each text of a packed row to itself: (1, heads, tokens, d) each, (1, tokens, heads, d) back.

    Texts of like length go through one product together, padded to the longest of them. A batch that is not packed is
    left to torch. What `module.before` gives, keys and values (2, heads, length, d), every text sees before its own.
    """
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    before = module.before() if getattr(module, "before", None) else None
    if cu_seq_lens_q is None:
        if before is not None:
            attention_mask = _mask_behind(before.shape[2], query.shape[2], key.shape[2], attention_mask, query.device)
            key, value = (_behind(part, texts) for part, texts in zip(before, (key, value), strict=True))
        answer, weights = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **given
        )
        return answer, weights
    edges = cu_seq_lens_q.tolist()
    lengths = [end - start for start, end in pairwise(edges)]
    queries, keys, values = (torch.split(part[0], lengths, dim=1) for part in (query, key, value))
    found: list[Tensor] = [query] * len(lengths)
    for group in _alike(lengths):
        width = max(lengths[number] for number in group)
        together = [_padded([part[number] for number in group], width) for part in (queries, keys, values)]
        mask = None
        if before is not None:
            together[1:] = [_behind(part, texts) for part, texts in zip(before, together[1:], strict=True)]
            mask = _mask_behind(before.shape[2], width, width, None, query.device)
        mixed = torch.nn.functional.scaled_dot_product_attention(
            *together, mask, scale=scaling, is_causal=mask is None, enable_gqa=query.shape[1] != key.shape[1]
        )
        for number, text in zip(group, mixed, strict=True):
            found[number] = text[:, : lengths[number]]
    return torch.cat(found, dim=1).transpose(0, 1)[None].contiguous(), None


def _behind(before: Tensor, texts: Tensor) -> Tensor:
    """Keys or values (heads, length, d) in front of those of texts, (texts, heads, tokens, d)."""
    import torch

    return torch.cat([before.to(texts.dtype).expand(len(texts), -1, -1, -1), texts], dim=2)


def _mask_behind(length: int, queries: int, keys: int, mask: Tensor | None, device: torch.device) -> Tensor:
    """What is seen where `length` keys stand before the others: all of these, and of the others what was seen.

    Args:
        queries: how many, the last of the text so far.
        keys: how many, without those that stand before.
        mask: (..., queries, keys), true or 0 where a key is seen; None: causal.
    """
    import torch

    if mask is None:
        mask = torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)[None, None]
    seen = torch.ones if mask.dtype == torch.bool else torch.zeros
    return torch.cat([seen((*mask.shape[:-1], length), dtype=mask.dtype, device=device), mask], dim=-1)


def _alike(lengths: list[int], waste: float = 0.25) -> list[list[int]]:
    """The numbers of the texts in groups whose padding to the longest stays below a share of its tokens."""
    groups: list[list[int]] = []
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        if groups and lengths[groups[-1][0]] >= (1 - waste) * lengths[number]:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _padded(parts: list[Tensor], width: int) -> Tensor:
    """Parts (heads, tokens, d) as (parts, heads, width, d), zero behind the end; causal attention never looks there."""
    import torch

    if all(part.shape[1] == width for part in parts):
        return torch.stack(parts)
    return torch.stack([torch.nn.functional.pad(part, (0, 0, 0, width - part.shape[1])) for part in parts])


def states_of(model: PreTrainedModel, batch: dict[str, Any]) -> torch.Tensor:
    """The last hidden states of a packed row, (tokens, hidden): what the head of the language model reads."""
    body = getattr(model, model.base_model_prefix)
    states: torch.Tensor = body(**batch, use_cache=False).last_hidden_state[0]
    return states


def packed_losses(model: PreTrainedModel, batch: dict[str, Tensor], learnt: Tensor) -> Tensor:
    """-log p of every learnt token given those before it in its text, float32, in the order of the texts.

    Args:
        batch: `input_ids` and `attention_mask`, (texts, width).
        learnt: which tokens, bool, (texts, width); never the first of a text.
    """
    from tuneloop.models.next_token import next_token_losses

    states = states_of(model, pack(batch["input_ids"], batch["attention_mask"]))
    flat = learnt[batch["attention_mask"].bool()].nonzero()[:, 0]
    head: Any = model.get_output_embeddings().weight  # type: ignore[union-attr]
    return next_token_losses(states[flat - 1], head, batch["input_ids"][learnt])
