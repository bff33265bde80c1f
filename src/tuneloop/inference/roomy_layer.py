"""A layer of transformers' cache that grows without copying what it holds at every token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from transformers.cache_utils import DynamicLayer

SPARE_TOKENS = 64
"""Columns that are allocated ahead."""


class RoomyLayer(DynamicLayer):
    """Keys and values, each (rows, heads, tokens, d), with columns to spare that new tokens are written into."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values
        self._room: list[Tensor] = []

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Add the tokens of a step; keys and values of all tokens."""
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if not self._room or self._room[0].shape[-2] < end:
            self._room = [_with_room(part, end + SPARE_TOKENS) for part in (self.keys, self.values)]  # type: ignore[arg-type]
        for room, states in zip(self._room, (key_states, value_states), strict=True):
            room[:, :, start:end] = states
        self.keys, self.values = (room[:, :, :end] for room in self._room)
        return self.keys, self.values

    def keep(self, rows: Sequence[int], columns: slice) -> None:
        """Keep these rows, in ascending order, and columns: in place, as there may be no memory for a copy.

        The next step makes one, layer after layer, and lets go of what is no longer needed.
        """
        kept: list[Tensor] = []
        for part in (self.keys, self.values):
            for place, row in enumerate(rows):
                if place != row:
                    part[place] = part[row]  # type: ignore[index]
            kept.append(part[: len(rows), :, columns])  # type: ignore[index]
        self.keys, self.values = kept
        self._room = []


def _with_room(part: Tensor, width: int) -> Tensor:
    room = part.new_empty((*part.shape[:-2], width, part.shape[-1]))
    room[:, :, : part.shape[-2]] = part
    return room
