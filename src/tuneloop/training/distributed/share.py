"""How the rows of a step are shared out among processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.data.batches import bound_groups

if TYPE_CHECKING:
    from tuneloop.data.tokens import Tokens

    IntArray = np.ndarray[Any, np.dtype[Any]]


def share(rows: IntArray, tokens: Tokens, *, rank: int, size: int) -> IntArray:
    """The rows of a step that process `rank` of `size` takes: a pure function, with about as many tokens for each.

    Every row is in exactly one share, and texts that are judged together stay together. Dealt out from the longest to
    the shortest, there and back (0 1 1 0 0 1 ...); a share of few rows may be empty.
    """
    groups = bound_groups(rows, tokens)
    order = np.argsort([-int(tokens.sizes[group].sum()) for group in groups], kind="stable")
    turn, place = np.divmod(np.arange(len(groups)), size)
    taker = np.where(turn % 2, size - 1 - place, place)
    mine = [groups[number] for number in np.sort(order[taker == rank])]
    return np.concatenate([rows[:0], *mine])
