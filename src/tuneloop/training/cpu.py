"""Cheaper operations for training steps on a CPU, with the same mathematics.

Measured with MiniLM in bf16, batches of 32 texts of 33 tokens, one Zen 5 core: a forward and
backward pass takes 15 % less time.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import Dropout

from tuneloop.models import packed
from tuneloop.models.first_token import encoder_layers, is_like_bert
from tuneloop.models.load import has_new_head

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LEVELS = 256
ATTENTION = "tuneloop_plain"
"""The name under which transformers finds `plain_attention`."""

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Names of two settings of glibc's `mallopt`; by itself it raises them to 64 and 32 MiB, and no further."""


class ByteDropout(Dropout):
    """`torch.nn.Dropout` with one random byte per value.

    torch draws a float for each value, which costs 2.0 ms for 400,000 of them against 0.7 ms here. A
    byte gives the probability to within 1/512; kept values are scaled by the one that was really used.
    """

    def forward(self, input: Tensor) -> Tensor:
        return byte_dropout(input, self.p) if self.training else input


def byte_dropout(values: Tensor, probability: float) -> Tensor:
    """Some of the values set to 0 and the others scaled, as in training."""
    drop = min(round(probability * LEVELS), LEVELS - 1)
    if drop == 0:
        return values
    count = values.numel()
    draws = torch.empty((count + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    kept = draws.view(torch.uint8)[:count].view(values.shape) >= drop
    return values * kept.to(values.dtype).mul_(LEVELS / (LEVELS - drop))


def plain_attention(
    _: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **__: Any,
) -> tuple[Tensor, Tensor]:
    """softmax(QK' / sqrt(d)) V with cheap dropout: of (batch, heads, tokens, d) each, (batch, tokens, heads, d).

    transformers' own ("eager") spends half of its time on drawing the dropout.
    """
    scores = torch.matmul(query * scaling, key.transpose(2, 3))
    if attention_mask is not None:
        # a mask of fp32 would make every weight fp32 too, to be rounded again for the next product
        scores = scores + attention_mask.clamp(min=torch.finfo(scores.dtype).min).to(scores.dtype)
    weights = byte_dropout(scores.softmax(dim=-1), dropout)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights


def use_cheap_operations(model: PreTrainedModel, precision: str, *, device: str = "") -> None:
    """Change a model on the CPU in place; elsewhere nothing happens. What is saved stays the same.

    Args:
        device: where it will be; where it is by default.

    In bf16 the plain attention takes 3.7 ms where torch's fused one takes 6.9 ms (with dropout) or
    23 ms (without), forward and backward; in fp32 the fused one is faster and stays.
    """
    if not has_new_head(model):
        packed.use_packed_attention(model, device=device)
    if (device or model.device.type) != "cpu":
        return
    if precision == "bf16" and model.config._attn_implementation == "sdpa":
        model.set_attn_implementation(_attention(model))
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is Dropout and child.p < 1:
                setattr(module, name, ByteDropout(child.p).train(child.training))


@contextmanager
def kept_memory(*, wanted: bool = True) -> Iterator[None]:
    """Inside the block what a step frees is kept for the next one, and goes back to the system at the end.

    glibc gives large blocks back at once, and the system then clears thousands of pages again in every
    step: a tenth of the time of a training step of MiniLM. Other libraries are left as they are.

    Args:
        wanted: else large blocks go back at once, always: where memory is what is short, holes in the heap cost more.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "mallopt"):
        yield
        return
    mapped, trimmed = (1 << 30, (1 << 31) - 1) if wanted else (1 << 20, 1 << 22)
    libc.mallopt(MMAP_THRESHOLD, mapped), libc.mallopt(TRIM_THRESHOLD, trimmed)
    if not wanted:
        libc.malloc_trim(0)
    try:
        yield
    finally:
        libc.mallopt(MMAP_THRESHOLD, 1 << 25), libc.mallopt(TRIM_THRESHOLD, 1 << 26)
        libc.malloc_trim(0)


def _attention(model: PreTrainedModel) -> str:
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    layers = encoder_layers(model) or []
    if not layers or not all(map(is_like_bert, layers)):
        return "eager"
    AttentionInterface.register(ATTENTION, plain_attention)
    AttentionMaskInterface.register(ATTENTION, eager_mask)
    return ATTENTION
