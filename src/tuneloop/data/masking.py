"""Tokens hidden from a model that learns to guess them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

IntArray = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Marks:
    """What the ids of a vocabulary stand for.

    Args:
        mask: the token that hides another.
        special: tokens that are no words, sorted: none of them is ever hidden.
        words: all others, sorted.
    """

    mask: int
    special: IntArray
    words: IntArray


def hide(ids: IntArray, *, marks: Marks, share: float, key: Sequence[int]) -> tuple[IntArray, IntArray]:
    """Texts with some of their tokens hidden: a pure function of its arguments.

    Of each text `share` of the words are chosen, one at least. Of those, 80 % become the mask token, 10 % any word,
    and 10 % stay, so that no token can be trusted: Devlin et al., "BERT" (2019), section 3.1.

    Args:
        ids: (texts, tokens); each text has a word.
        key: numbers that the choice is drawn from.

    Returns:
        What the model sees, and which tokens it has to guess, bool; both (texts, tokens).
    """
    random = np.random.default_rng(list(key))
    is_word = ~np.isin(ids, marks.special)
    counts = np.maximum(1, np.rint(share * is_word.sum(axis=1)))
    order = np.where(is_word, random.random(ids.shape), np.inf).argsort(axis=1).argsort(axis=1)
    hidden = is_word & (order < counts[:, None])
    how = random.random(ids.shape)
    others = marks.words[random.integers(len(marks.words), size=ids.shape)]
    seen = np.where(hidden & (how < 0.8), marks.mask, np.where(hidden & (how >= 0.9), others, ids))
    return seen, hidden
