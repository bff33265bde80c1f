"""Which tokens are hidden: the right share, never a special one, and always the same ones for the same key."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.data.masking import Marks, hide

MARKS = Marks(mask=4, special=np.arange(5), words=np.arange(5, 100))


def texts(rows: int, width: int, seed: int = 0) -> np.ndarray:
    """Words between [CLS] (2) and [SEP] (3), filled up with [PAD] (0)."""
    random = np.random.default_rng(seed)
    ids = random.integers(5, 100, (rows, width))
    ids[:, 0] = 2
    for row, end in enumerate(random.integers(2, width, rows)):
        ids[row, end:] = [3] + [0] * (width - end - 1)
    return ids


@given(rows=st.integers(1, 20), width=st.integers(3, 40), share=st.floats(0.01, 0.9), seed=st.integers(0, 10**6))
def test_each_text_has_its_share_of_hidden_words_and_no_special_token(rows, width, share, seed):
    ids = texts(rows, width, seed)
    seen, hidden = hide(ids, marks=MARKS, share=share, key=[seed])
    words = ids >= 5
    assert not (hidden & ~words).any()
    assert (hidden.sum(axis=1) == np.maximum(1, np.rint(share * words.sum(axis=1)))).all()
    assert (seen == ids)[~hidden].all()
    assert np.isin(seen[hidden], [4, *MARKS.words]).all()


def test_of_the_hidden_ones_eight_in_ten_are_masked_and_one_in_ten_is_another_word() -> None:
    ids = texts(2000, 64)
    seen, hidden = hide(ids, marks=MARKS, share=0.15, key=[0])
    masked, kept = (seen == 4)[hidden].mean(), (seen == ids)[hidden].mean()
    assert masked == pytest.approx(0.8, abs=0.02)
    assert kept == pytest.approx(0.1 + 0.1 / 95, abs=0.01)


def test_masks_depend_on_the_key_alone() -> None:
    ids = texts(8, 32)
    first, again, other = (hide(ids, marks=MARKS, share=0.15, key=[0, step, 7]) for step in (1, 1, 2))
    assert (first[0] == again[0]).all() and (first[1] == again[1]).all()
    assert (first[1] != other[1]).any()
