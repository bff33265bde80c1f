"""Reading interactions, splitting them by time, and who is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tuneloop.core.errors import DataError
from tuneloop.recommend import Interactions, cases, read_interactions, split_by_time


def made(rows: list[tuple[int, int, float, float]]) -> Interactions:
    """Interactions of rows (user, item, value, time), the earliest first."""
    users, items, values, times = (np.array(column) for column in zip(*sorted(rows, key=lambda r: r[3]), strict=True))
    names = tuple(map(str, range(int(max(users.max(), items.max())) + 1)))
    return Interactions(users, items, values, times, names, names)


def test_a_table_is_read_by_its_columns_and_ordered_by_time(tmp_path: Path) -> None:
    (tmp_path / "a.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu\tb\t3\t9\nv\ta\t5\t2\n"
    )
    found = read_interactions("a.inter", base=tmp_path)
    assert found.user_ids == ("v", "u")
    assert found.item_ids == ("a", "b")
    assert found.items.tolist() == [0, 1]
    assert found.values.tolist() == [5, 3]
    (tmp_path / "a.csv").write_text("time,user,item\n1,u,b\n")
    assert read_interactions("a.csv", base=tmp_path, items=("a", "b")).items.tolist() == [1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("user,item\nu,a\n", "a.csv has no column for time"),
        ("user,item,time\nu,a,1\nu,b,soon\n", "row 3.*no number"),
        ("user,item,time\nu,c,1\n", "item c is not among"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=told):
        read_interactions("a.csv", base=tmp_path, items=("a", "b"))


@given(
    some.lists(
        some.tuples(some.integers(0, 5), some.integers(0, 5), some.integers(1, 5), some.integers(0, 9)), min_size=1
    ),
    some.floats(0.1, 0.95),
)
def test_nothing_before_the_split_is_as_late_as_anything_after(rows: list, share: float) -> None:
    before, after = split_by_time(made(rows), share)
    assert len(before) + len(after) == len(rows)
    assert len(after)
    if len(before):
        assert before.times.max() < after.times.min()


@given(
    some.lists(
        some.tuples(some.integers(0, 4), some.integers(0, 9), some.integers(1, 5), some.integers(0, 30)), min_size=5
    )
)
def test_what_is_wanted_lies_after_what_is_known_and_was_never_seen(rows: list) -> None:
    interactions = made(rows)
    before, after = split_by_time(interactions, 0.5)
    for case in cases(before, after, least=4, first=2):
        own = interactions.users == case.user
        liked = {int(i) for i in interactions.items[own & (interactions.values >= 4)]}
        assert len(case.wanted)
        assert len(case.history)
        assert not set(case.wanted.tolist()) & set(case.seen.tolist())
        assert set(case.wanted.tolist()) | set(case.history.tolist()) <= liked
        if case.known:
            assert set(case.seen.tolist()) == set(before.items[before.users == case.user].tolist())


def test_a_new_user_names_the_first_films_they_like_and_all_seen_up_to_then_counts_as_seen() -> None:
    before = made([(0, 0, 5, 0)])
    after = made([(1, 1, 5, 1), (1, 2, 1, 2), (1, 3, 4, 3), (1, 4, 2, 4), (1, 5, 5, 5)])
    (case,) = cases(before, after, least=4, first=2)
    assert not case.known
    assert case.history.tolist() == [1, 3]
    assert case.seen.tolist() == [1, 2, 3]
    assert case.wanted.tolist() == [5]
    assert not cases(before, after, least=4, first=3)
