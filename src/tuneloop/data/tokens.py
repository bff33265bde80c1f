"""Token ids of many texts in two flat arrays: no padding until a batch is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

IntArray = np.ndarray[Any, np.dtype[Any]]


class Beside(Protocol):
    """What texts have beside their tokens: images, sound, values (`models.item_tokenizer`)."""

    @property
    def sizes(self) -> IntArray:
        """How much more there is to read of each text, in tokens, (n,)."""

    def select(self, numbers: Sequence[int] | IntArray) -> Beside:
        """That of the given texts, in the given order."""

    def followed_by(self, others: Any) -> Beside:
        """That of these texts, then of others."""

    def batch(self, numbers: Sequence[int] | IntArray) -> dict[str, IntArray]:
        """The arrays of the given texts."""


@dataclass(frozen=True)
class Tokens:
    """The tokens of n texts.

    Args:
        ids: token ids of all texts, one after the other, int32, shape (total tokens,).
        offsets: where each text begins, and the end, int64, shape (n + 1,).
        type_ids: 0 for the first text and 1 for its pair, like `ids`; None where all are 0.
        truncated: whether a text was cut, bool, shape (n,).
        pad_id: the id that fills a batch.
        places: the characters of each token in its text, from and to, int32, like `ids` but (total tokens, 2);
            (0, 0) for special tokens; None where nobody asked.
        owners: the number of the input that each of the n texts is or is part of, in order; None where each is one.
        bound: whether the texts of an input are judged together, so that a batch never parts them.
        beside: what the n texts have beside their tokens; None where they are texts alone.
        columns: texts of each input whose logits, one number each, are side by side its answer; 1 where each text has
            an answer of its own.
    """

    ids: IntArray
    offsets: IntArray
    type_ids: IntArray | None
    truncated: IntArray
    pad_id: int = 0
    places: IntArray | None = None
    owners: IntArray | None = None
    bound: bool = False
    columns: int = 1
    beside: Beside | None = None

    @classmethod
    def of_first_texts(cls, ids: Sequence[Sequence[int]], *, truncated: Sequence[bool], pad_id: int) -> Tokens:
        """The given token ids of each text, all of them of a text and none of its pair."""
        return cls(
            ids=np.array([number for each in ids for number in each], dtype=np.int32),
            offsets=np.cumsum([0, *map(len, ids)], dtype=np.int64),
            type_ids=None,
            truncated=np.array(truncated, dtype=bool),
            pad_id=pad_id,
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> IntArray:
        """Tokens of each text, int64, shape (n,)."""
        return np.diff(self.offsets)

    @property
    def sizes(self) -> IntArray:
        """How much there is to read of each text: its tokens, and what is beside them, int64, shape (n,)."""
        return self.lengths if self.beside is None else self.lengths + self.beside.sizes

    @property
    def groups(self) -> IntArray:
        """Where the texts of each input that stay together begin, and the end, int64, shape (groups + 1,)."""
        if not self.bound or self.owners is None:
            return np.arange(len(self) + 1)
        return np.concatenate([np.flatnonzero(np.diff(self.owners, prepend=-1)), [len(self)]])

    @property
    def inputs_of_groups(self) -> IntArray:
        """The number of the input of each of `groups`, int64, shape (groups,)."""
        starts = self.groups[:-1]
        return starts if self.owners is None else self.owners[starts]

    def select(self, rows: Sequence[int] | IntArray) -> Tokens:
        """The given texts, in the given order; which inputs they are of, and their places, are left behind."""
        pieces = [slice(self.offsets[row], self.offsets[row + 1]) for row in rows]
        return Tokens(
            ids=np.concatenate([self.ids[piece] for piece in pieces]),
            offsets=np.concatenate([[0], np.cumsum(self.lengths[rows])]).astype(np.int64),
            type_ids=None if self.type_ids is None else np.concatenate([self.type_ids[piece] for piece in pieces]),
            truncated=self.truncated[rows],
            pad_id=self.pad_id,
            beside=None if self.beside is None else self.beside.select(rows),
        )

    def of_inputs(self, numbers: Sequence[int] | IntArray) -> Tokens:
        """The texts of the given inputs, in the given order."""
        if self.owners is None:
            return self.select(numbers)
        starts = np.searchsorted(self.owners, np.arange(int(self.owners.max(initial=-1)) + 2))
        rows = [np.arange(starts[number], starts[number + 1]) for number in numbers]
        flat = np.concatenate([np.zeros(0, np.int64), *rows])
        pieces = [np.zeros((0, 2), np.int32)]
        if self.places is not None:
            pieces += [self.places[self.offsets[row] : self.offsets[row + 1]] for row in flat]
        return replace(
            self.select(flat),
            places=None if self.places is None else np.concatenate(pieces),
            owners=np.repeat(np.arange(len(rows)), list(map(len, rows))),
            bound=self.bound,
            columns=self.columns,
        )

    def followed_by(self, others: Tokens) -> Tokens:
        """These texts, then the others."""
        both = (self, others)
        types = [np.zeros(len(each.ids), np.int8) if each.type_ids is None else each.type_ids for each in both]
        return Tokens(
            ids=np.concatenate([self.ids, others.ids]),
            offsets=np.concatenate([self.offsets, self.offsets[-1] + others.offsets[1:]]),
            type_ids=None if self.type_ids is others.type_ids is None else np.concatenate(types),
            truncated=np.concatenate([self.truncated, others.truncated]),
            pad_id=self.pad_id,
            beside=None if self.beside is None else self.beside.followed_by(others.beside),
        )

    def batch(self, rows: Sequence[int] | IntArray, *, width: int | None = None) -> dict[str, IntArray]:
        """The given texts, padded on the right to the longest of them (or to `width`).

        Returns:
            `input_ids`, `attention_mask` and `token_type_ids`, int64, each (len(rows), width), and what is beside.
        """
        rows = np.asarray(rows)
        starts, lengths = self.offsets[rows], self.lengths[rows]
        positions = np.arange(width or int(lengths.max(initial=1)))
        mask = positions < lengths[:, None]
        flat = np.where(mask, starts[:, None] + positions, 0)
        input_ids = np.where(mask, self.ids[flat], self.pad_id).astype(np.int64)
        types = np.zeros_like(input_ids) if self.type_ids is None else np.where(mask, self.type_ids[flat], 0)
        return {
            "input_ids": input_ids,
            "attention_mask": mask.astype(np.int64),
            "token_type_ids": types.astype(np.int64),
        } | ({} if self.beside is None else self.beside.batch(rows))
