"""How unlikely a language model finds the tokens that come next, without the logits of all tokens at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

AT_HAND = "tuneloop_at_hand"
"""The name of a method of models whose weights lie with several processes: it calls a function while they are here."""

CHUNK = 512
"""Tokens whose logits exist at a time: 512 x 49,152 words in fp32 are 96 MiB."""


class _NextToken(torch.autograd.Function):
    """-log softmax(W h)[next] of each row; the logits are made twice rather than kept."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, head: Tensor, wanted: Tensor) -> Tensor:
        losses = torch.empty(len(states), dtype=torch.float32, device=states.device)
        ctx.save_for_backward(states, head, wanted)
        for rows in range(0, len(states), CHUNK):
            part = slice(rows, rows + CHUNK)
            logits = linear(states[part], head).float()
            losses[part] = torch.logsumexp(logits, dim=1) - logits.gather(1, wanted[part, None])[:, 0]
        return losses

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        states, head, wanted = ctx.saved_tensors
        to_states = torch.empty_like(states) if ctx.needs_input_grad[0] else None
        to_head = torch.zeros(head.shape, dtype=torch.float32, device=head.device) if ctx.needs_input_grad[1] else None
        for rows in range(0, len(states), CHUNK):
            part = slice(rows, rows + CHUNK)
            shares = linear(states[part], head).float().softmax(dim=1)
            shares[torch.arange(len(shares), device=shares.device), wanted[part]] -= 1
            shares = (shares * above[0][part, None]).to(states.dtype)
            if to_states is not None:
                to_states[part] = shares @ head
            if to_head is not None:
                to_head += (shares.T @ states[part]).float()
        return to_states, None if to_head is None else to_head.to(head.dtype), None


def next_token_losses(states: Tensor, head: Tensor, wanted: Tensor) -> Tensor:
    """-log p(wanted) of each row, float32, (n,).

    Args:
        states: what the head reads, (n, hidden).
        head: the weights of the last layer, (words, hidden); it has no bias.
        wanted: the token that comes next, int64, (n,).

    Memory does not grow with the words: the logits of `CHUNK` rows exist at a time, once for the losses and once for
    their gradient.
    """
    losses: Tensor = _NextToken.apply(states, head.to(states.dtype), wanted)  # type: ignore[no-untyped-call]
    return losses


def at_hand(model: Any, compute: Callable[[], Tensor]) -> Tensor:
    """What a function computes that reads a model's weights by itself, outside of the model's own pass."""
    losses: Tensor = getattr(model, AT_HAND, lambda compute: compute())(compute)
    return losses
