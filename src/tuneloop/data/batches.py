"""Batches of texts of like length, or by chance where nothing is padded, in an order that is a pure function.

The order of training batches depends on (seed, epoch) alone, so a resumed run needs only the
position in it: nothing about a sampler is ever saved, and nothing can be restored wrongly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tuneloop.data.tokens import Tokens

IntArray = np.ndarray[Any, np.dtype[Any]]

POOL_BATCHES = 50
"""Training texts are sorted by length within pools of this many batches: wide enough for little
padding, narrow enough that every epoch mixes different neighbours."""


DEALING = "dealing"
"""In what a checkpoint is bound to: the version of the way in which texts that are packed are dealt into batches."""

MAX_PADDING = 100
"""Tokens of padding in a batch at most. One more batch takes a model the time of about as many tokens."""


def inference_batches(
    lengths: IntArray, *, max_tokens: int, max_rows: int = 1024, max_padding: int = MAX_PADDING, step: int = 1
) -> list[IntArray]:
    """Rows sorted by length, cut so that rows x longest stays within `max_tokens`, and padding is worth it.

    Args:
        lengths: tokens of each text, shape (n,).
        max_tokens: padded tokens of a batch at most; a longer text is a batch of its own.
        max_rows: texts of a batch at most.
        max_padding: tokens of a batch at most that are padding, not counting what `step` asks for.
        step: batches are padded to multiples of this.

    Returns:
        Arrays of row numbers; each row is in exactly one of them.
    """
    order = np.argsort(lengths, kind="stable")
    lengths = -(-lengths // step) * step
    batches: list[IntArray] = []
    start, texts = 0, 0  # tokens of the texts from `start` on
    for end, length in enumerate(lengths[order].tolist()):
        padded = (end - start + 1) * length
        full = padded > max_tokens or end - start == max_rows or padded - texts - length > max_padding
        if full and end > start:
            batches.append(order[start:end])
            start, texts = end, 0
        texts += length
    return [*batches, order[start:]] if len(order) else []


@dataclass(frozen=True)
class Turns:
    """Which groups of texts an epoch takes, where some take turns: all of them are seen equally often over time.

    Args:
        always: numbers of the groups that every epoch has.
        rotating: those that take turns, in their order; not empty.
        each: how many of them an epoch has; where that is more than there are, some come more than once.
    """

    always: IntArray
    rotating: IntArray
    each: int

    def of(self, epoch: int) -> IntArray:
        """The groups of an epoch, from 0: as many in every one."""
        begin = epoch * self.each
        return np.concatenate([self.always, self.rotating[np.arange(begin, begin + self.each) % len(self.rotating)]])


def batches_of_groups(
    tokens: Tokens, *, batch_size: int, seed: int, epoch: int, by_length: bool = True, turns: Turns | None = None
) -> list[IntArray]:
    """`training_batches` in which the texts of an input stay together and count as one.

    Args:
        turns: which of `tokens.groups` an epoch takes; all of them by default.
    """
    groups = tokens.groups
    taken = np.arange(len(groups) - 1) if turns is None else turns.of(epoch)
    sizes = np.maximum.reduceat(tokens.sizes, groups[:-1]) * np.diff(groups)
    batches = training_batches(sizes[taken], batch_size=batch_size, seed=seed, epoch=epoch, by_length=by_length)
    if len(groups) == len(tokens) + 1:
        return [taken[batch] for batch in batches]
    return [np.concatenate([np.arange(groups[each], groups[each + 1]) for each in taken[batch]]) for batch in batches]


def training_batches(
    lengths: IntArray, *, batch_size: int, seed: int, epoch: int, by_length: bool = True
) -> list[IntArray]:
    """The batches of one epoch: shuffled, sorted by length within pools, shuffled again.

    Args:
        lengths: tokens of each text, shape (n,).
        batch_size: texts per batch; the last one may be smaller.
        seed: seed of the run.
        epoch: number of the epoch, from 0.
        by_length: whether texts of like length share a batch; else chance alone deals them.

    Returns:
        Arrays of row numbers; each row is in exactly one of them. A pure function of its arguments.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    if not by_length:
        return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    pool = batch_size * POOL_BATCHES
    pools = [order[start : start + pool] for start in range(0, len(order), pool)]
    alike = np.concatenate([rows[np.argsort(lengths[rows], kind="stable")] for rows in pools])
    batches = [alike[start : start + batch_size] for start in range(0, len(alike), batch_size)]
    return [batches[number] for number in random.permutation(len(batches))]


def split_by_tokens(rows: IntArray, tokens: Tokens, max_tokens: int) -> list[IntArray]:
    """One batch in parts whose padded size stays within `max_tokens`, for gradient accumulation.

    The texts of an input that are judged together stay together, even where they alone are more.
    """
    if not len(rows):
        return []
    if not tokens.bound or tokens.owners is None:
        parts = inference_batches(tokens.sizes[rows], max_tokens=max_tokens, max_padding=max_tokens)
        return [rows[part] for part in parts]
    groups = bound_groups(rows, tokens)
    longest = np.array([tokens.sizes[group].max() for group in groups])
    found: list[list[IntArray]] = [[]]
    for number in np.argsort(longest, kind="stable"):
        texts = sum(map(len, found[-1])) + len(groups[number])
        if found[-1] and texts * longest[number] > max_tokens:
            found.append([])
        found[-1].append(groups[number])
    return [np.concatenate(part) for part in found]


def bound_groups(rows: IntArray, tokens: Tokens) -> list[IntArray]:
    """These rows in groups that must not be parted: one by one, but where the texts of an input stay together."""
    starts = np.arange(len(rows))
    if tokens.bound and tokens.owners is not None:
        starts = np.flatnonzero(np.diff(tokens.owners[rows], prepend=-1))
    return np.split(rows, starts[1:]) if len(rows) else []
