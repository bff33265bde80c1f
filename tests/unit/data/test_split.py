"""Splits hold each row once, have the asked sizes, and do not depend on the order of the file."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.core.config import SplitConfig
from tuneloop.data.near import content_key
from tuneloop.data.split import Sizes, apportion, deal, deal_by_time, parse_times, strata, wanted_sizes

classes = st.lists(st.sampled_from("aaaabbc"), min_size=12, max_size=200)


def keys(count: int, seed: int = 0) -> list[bytes]:
    return [content_key(f"text {row}", seed=seed) for row in range(count)]


@given(classes, st.integers(0, 3))
def test_each_class_has_its_share_and_none_leaves_train(labels: list[str], seed: int) -> None:
    size = len(labels) // 6
    splits = deal(keys(len(labels), seed), strata(labels), range(len(labels)), Sizes(dev=size, test=size))
    counts = Counter(splits)
    assert "" not in counts and counts["train"] >= len(labels) - 2 * size
    for name in set(labels):
        held = [split for split, label in zip(splits, labels, strict=True) if label == name]
        assert "train" in held
        assert abs(held.count("test") - size * len(held) / len(labels)) <= 2


@given(classes, st.randoms())
def test_where_a_row_goes_does_not_depend_on_the_order(labels: list[str], random: object) -> None:
    sizes = Sizes(dev=2, test=3)
    order = list(range(len(labels)))
    random.shuffle(order)  # type: ignore[attr-defined]
    one = deal(keys(len(labels)), labels, range(len(labels)), sizes)
    other = deal([keys(len(labels))[row] for row in order], [labels[row] for row in order], range(len(labels)), sizes)
    assert [one[row] for row in order] == other


def test_another_seed_gives_other_rows() -> None:
    first, second = (deal(keys(100, seed), [""] * 100, range(100), Sizes(dev=10, test=10)) for seed in (0, 1))
    assert first != second and Counter(first) == Counter(second) == {"train": 80, "dev": 10, "test": 10}


@given(st.lists(st.integers(0, 9), min_size=30, max_size=100))
def test_a_group_is_never_divided(groups: list[int]) -> None:
    first = {group: groups.index(group) for group in groups}
    splits = deal(keys(len(groups)), [""] * len(groups), [first[group] for group in groups], Sizes(dev=5, test=5))
    assert all(len({split for split, own in zip(splits, groups, strict=True) if own == group}) == 1 for group in first)
    if len(first) >= 3:
        assert set(splits) == {"train", "dev", "test"}


def test_the_newest_rows_are_test() -> None:
    times = parse_times(["2026-01-03", "2026/01/01", "2026-01-02T10:00:00+08:00", 0, "86400"], place=str)
    assert deal_by_time(times, keys(5), Sizes(dev=1, test=1)) == ["test", "train", "dev", "train", "train"]
    assert deal_by_time(times, keys(5), Sizes(dev=1, test=1, train=1)) == ["test", "train", "dev", "", ""]


def test_a_train_size_leaves_rows_out_in_equal_shares() -> None:
    labels = ["a"] * 60 + ["b"] * 30
    splits = deal(keys(90), labels, range(90), Sizes(dev=9, test=9, train=30))
    train = Counter(label for label, split in zip(labels, splits, strict=True) if split == "train")
    assert train == {"a": 20, "b": 10}


def test_numbers_are_divided_by_quantile_and_several_classes_by_the_rarest() -> None:
    values = [float(value) for value in np.random.default_rng(0).exponential(size=400)]
    splits = deal(keys(400), strata(values), range(400), Sizes(dev=40, test=40))
    means = [
        np.mean([value for value, own in zip(values, splits, strict=True) if own == name]) for name in ("train", "test")
    ]
    assert means[0] == pytest.approx(means[1], rel=0.15)
    assert strata([("a", "b"), ("a",), (), ("a", "b", "c")]) == ["b", "a", "", "c"]


@given(st.integers(0, 300), st.lists(st.integers(0, 50), min_size=1, max_size=20), st.integers(0, 1))
def test_apportioning_gives_all_it_can(total: int, sizes: list[int], spare: int) -> None:
    given_away = apportion(total, sizes, spare=spare)
    limits = [max(size - spare, 0) for size in sizes]
    assert sum(given_away) == min(total, sum(limits))
    assert all(0 <= share <= limit for share, limit in zip(given_away, limits, strict=True))


def test_shares_and_counts_may_be_mixed() -> None:
    sizes = wanted_sizes(SplitConfig(dev=0.2, test=30), 100)
    assert (sizes.dev, sizes.test, sizes.train) == (20, 30, None)
    assert wanted_sizes(SplitConfig(train=10), 100, given=("test",)) == Sizes(dev=10, test=0, train=10)
