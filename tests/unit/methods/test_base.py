"""Rows of a split stay together: tokens, labels and what a teacher says of them."""

from __future__ import annotations

import numpy as np
import pytest

from tuneloop.core.config import TaskConfig
from tuneloop.data.tokens import Tokens
from tuneloop.methods.split import Split
from tuneloop.tasks import create_task


def tokens(*texts: list[int], types: bool = False) -> Tokens:
    ids = np.concatenate(texts).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])])
    return Tokens(ids, offsets, (ids % 2).astype(np.int8) if types else None, np.arange(len(texts)) % 2 == 0)


def test_selected_rows_keep_their_labels_and_those_without_come_last() -> None:
    whole = Split(tokens([5], [6, 7], [8], [9, 9]), ["a", "b"], teacher=np.arange(8, dtype=np.float32).reshape(4, 2))
    part = whole.select(np.array([3, 1, 2, 0, 1]))
    assert part.labels == ["b", "a", "b"]
    assert part.teacher[:, 0].tolist() == [2, 0, 2, 6, 4]
    assert part.tokens.ids.tolist() == [6, 7, 5, 6, 7, 9, 9, 8]
    task = create_task(TaskConfig(type="classification"), {"labels": ["a", "b"]})
    assert part.targets(task).tolist() == [1, 0, 1, 0, 0]


@pytest.mark.parametrize(("first", "second"), [(False, False), (True, False), (False, True), (True, True)])
def test_texts_that_follow_others_are_read_as_before(first: bool, second: bool) -> None:
    one, two = tokens([5, 7], [6], types=first), tokens([8], [9, 3, 1], types=second)
    both = one.followed_by(two)
    assert (both.type_ids is None) == (not first and not second)
    assert both.truncated.tolist() == [*one.truncated.tolist(), *two.truncated.tolist()]
    for row in range(4):
        apart = (one if row < 2 else two).batch([row % 2])
        assert {name: each.tolist() for name, each in both.batch([row]).items()} == {
            name: each.tolist() for name, each in apart.items()
        }
