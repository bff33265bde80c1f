"""Scores come back from bytes as they were."""

from __future__ import annotations

import numpy as np
import pytest

from tuneloop.data.examples import Span
from tuneloop.tasks.spans import as_scores
from tuneloop.tasks.stored import pack_scores, unpack_scores
from tuneloop.tasks.written import Written


@pytest.mark.parametrize(
    "found",
    [
        [Written("")],
        [Written('你好\n"quoted" \u2028', False, -12.345678901234567, 7), Written("x", True, None, 0)],
        [(), ((Span(0, 2, "a"), 0.5), (Span(3, 4, "b"), 0.25))],
        [(("first", 0.75), ("second", 0.25))],
    ],
)
def test_what_was_found_or_written_comes_back(found):
    back = unpack_scores(pack_scores(as_scores(found)))
    assert list(back) == found and [type(each) for each in back] == [type(each) for each in found]


def test_numbers_of_numpy_are_kept_as_plain_ones():
    written = Written("x", np.bool_(True), np.float32(-1.5), np.int64(3))  # type: ignore[arg-type]
    assert list(unpack_scores(pack_scores(as_scores([written])))) == [Written("x", True, -1.5, 3)]


def test_numbers_come_back():
    scores = np.array([[0.25, 0.75]], np.float32)
    assert (unpack_scores(pack_scores(scores)) == scores).all()


@pytest.mark.parametrize("data", [b"", b"[{", b'[{"words": "x"}]'])
def test_damaged_bytes_are_refused(data):
    with pytest.raises(ValueError):
        unpack_scores(data)
