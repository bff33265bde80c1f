"""Cheaper operations for training steps on a CPU, with the same mathematics.

Measured with MiniLM in bf16, batches of 32 texts of 33 tokens, one Zen 5 core: a forward and
backward pass takes 15 % less time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import Dropout

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LEVELS = 256


class ByteDropout(Dropout):
    """`torch.nn.Dropout` with one random byte per value.

    torch draws a float for each value, which costs 2.0 ms for 400,000 of them against 0.7 ms here. A
    byte gives the probability to within 1/512; kept values are scaled by the one that was really used.
    """

    def forward(self, input: Tensor) -> Tensor:
        drop = min(round(self.p * LEVELS), LEVELS - 1)
        if not self.training or drop == 0:
            return input
        count = input.numel()
        draws = torch.empty((count + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        kept = draws.view(torch.uint8)[:count].view(input.shape) >= drop
        return input * (kept.to(input.dtype) * (LEVELS / (LEVELS - drop)))


def use_cheap_operations(model: PreTrainedModel, precision: str) -> None:
    """Change a model on the CPU in place; elsewhere nothing happens. What is saved stays the same.

    In bf16 the plain attention takes 3.7 ms where torch's fused one takes 6.9 ms (with dropout) or
    23 ms (without), forward and backward; in fp32 the fused one is faster and stays.
    """
    if model.device.type != "cpu":
        return
    if precision == "bf16" and model.config._attn_implementation == "sdpa":
        model.set_attn_implementation("eager")
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is Dropout and child.p < 1:
                setattr(module, name, ByteDropout(child.p).train(child.training))
