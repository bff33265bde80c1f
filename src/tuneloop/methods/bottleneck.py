"""The modules of bottleneck adapters; apart from the method, so that naming it does not import torch."""

from __future__ import annotations

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
