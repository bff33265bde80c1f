"""Linear layers in which every row of a batch has weights of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import nn

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

THIN = re.compile(r"(?P<module>.+)\.lora_(?P<part>A|B)\.default\.weight")

Learnt: TypeAlias = tuple[dict[str, torch.Tensor], float]
"""Weights of one adapter by their names in the model, and how much its products count."""


class Rows:
    """Which weights each row of the batch in work takes, int64, (batch,)."""

    numbers: Tensor

    @contextmanager
    def of(self, numbers: Tensor) -> Iterator[None]:
        """Inside the block, the rows of a batch take these."""
        self.numbers = numbers
        yield


class RowLora(nn.Module):
    """W x + B x A x with one W for all and thin matrices for each row.

    Args:
        base: the layer under it.
        down: A of each adapter, (adapters, inputs, rank).
        up: B of each, with what its product counts, (adapters, rank, outputs).
        rows: which of them each row takes.
    """

    def __init__(self, base: nn.Module, down: Tensor, up: Tensor, rows: Rows) -> None:
        super().__init__()
        self.base, self._rows = base, rows
        self.register_buffer("down", down)
        self.register_buffer("up", up)

    def forward(self, states: Tensor) -> Tensor:
        """(batch, tokens, inputs) to (batch, tokens, outputs)."""
        numbers = self._rows.numbers
        thin = torch.bmm(states, self.down[numbers])
        return torch.baddbmm(self.base(states), thin, self.up[numbers])


class RowLinear(nn.Module):
    """A linear layer with whole weights for each row.

    Args:
        weight: of each adapter, (adapters, outputs, inputs).
        bias: (adapters, outputs).
        rows: which of them each row takes.
    """

    def __init__(self, weight: Tensor, bias: Tensor, rows: Rows) -> None:
        super().__init__()
        self._rows = rows
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, states: Tensor) -> Tensor:
        """(batch, inputs) to (batch, outputs)."""
        numbers = self._rows.numbers
        return torch.baddbmm(self.bias[numbers].unsqueeze(2), self.weight[numbers], states.unsqueeze(2)).squeeze(2)


def put_in_rows(model: PreTrainedModel, learnt: Sequence[Learnt], rows: Rows) -> PreTrainedModel:
    """The model, in place, with the weights of all adapters where one stands.

    Args:
        model: opened with the first of them.
        learnt: of each adapter, its weights by their names in the model, and how much its products count.

    Raises:
        ModelError: if one has learnt something that has no rows of its own.
    """
    modules = {match["module"] for weights, _ in learnt for match in map(THIN.fullmatch, weights) if match}
    heads = {name.rpartition(".")[0] for weights, _ in learnt for name in weights if not THIN.fullmatch(name)}
    for name in sorted(modules):
        layer = model.get_submodule(name)
        base = getattr(layer, "base_layer", layer)
        _check_linear(base, name)
        model.set_submodule(name, RowLora(base, *_thin(name, learnt, base), rows))
    for name in sorted(heads):
        layer = model.get_submodule(name)
        _check_linear(layer, name)
        model.set_submodule(name, RowLinear(*_whole(name, learnt, layer), rows))
    return model


def _check_linear(layer: nn.Module, name: str) -> None:
    if not isinstance(layer, nn.Linear):
        raise ModelError(
            t("The layer {name} cannot have weights for each row.", name=name), t("Open these adapters one by one.")
        )


def _thin(name: str, learnt: Sequence[Learnt], base: nn.Linear) -> tuple[Tensor, Tensor]:
    """The thin matrices of a layer, narrower ones filled with zeros; zeros where an adapter has none."""
    pairs = [
        (weights.get(f"{name}.lora_A.default.weight"), weights.get(f"{name}.lora_B.default.weight"), scale)
        for weights, scale in learnt
    ]
    rank = max(a.shape[0] for a, _, _ in pairs if a is not None)
    down = torch.zeros(len(pairs), base.in_features, rank)
    up = torch.zeros(len(pairs), rank, base.out_features)
    for number, (a, b, scale) in enumerate(pairs):
        if a is not None and b is not None:
            down[number, :, : a.shape[0]] = a.T
            up[number, : a.shape[0]] = scale * b.T
    return down, up


def _whole(name: str, learnt: Sequence[Learnt], layer: nn.Linear) -> tuple[Tensor, Tensor]:
    """The weights of a layer of the head, those of fewer outputs filled with zeros."""
    own = [(weights.get(f"{name}.weight"), weights.get(f"{name}.bias")) for weights, _ in learnt]
    widest = max(len(weight) for weight, _ in own if weight is not None)
    weight, bias = torch.zeros(len(own), widest, layer.in_features), torch.zeros(len(own), widest)
    for number, (each, shift) in enumerate(own):
        if each is None:
            raise ModelError(
                t("An adapter has no weights of its own for the layer {name}, which others have.", name=name),
                t("Open these adapters one by one."),
            )
        weight[number, : len(each)] = each
        if shift is not None:
            bias[number, : len(shift)] = shift
    return weight, bias
