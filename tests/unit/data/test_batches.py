"""Every row is in exactly one batch, and the order is a pure function."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.data.batches import Turns, batches_of_groups, inference_batches, split_by_tokens, training_batches
from tuneloop.data.tokens import Tokens

lengths_of_texts = st.lists(st.integers(1, 200), min_size=1, max_size=300).map(np.array)


@given(lengths_of_texts, st.integers(16, 2048))
def test_inference_batches_hold_each_row_once_within_the_budget(lengths: np.ndarray, budget: int) -> None:
    batches = inference_batches(lengths, max_tokens=budget)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    for rows in batches:
        assert len(rows) == 1 or len(rows) * lengths[rows].max() <= budget


@given(lengths_of_texts, st.integers(1, 40), st.integers(0, 9), st.integers(0, 9))
def test_training_batches_hold_each_row_once_and_repeat(lengths: np.ndarray, size: int, seed: int, epoch: int) -> None:
    batches = training_batches(lengths, batch_size=size, seed=seed, epoch=epoch)
    again = training_batches(lengths, batch_size=size, seed=seed, epoch=epoch)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // size)
    assert all((first == second).all() for first, second in zip(batches, again, strict=True))


def test_two_epochs_have_different_orders() -> None:
    lengths = np.arange(100) % 7 + 1
    first, second = (training_batches(lengths, batch_size=8, seed=0, epoch=epoch) for epoch in (0, 1))
    assert any((a != b).any() for a, b in zip(first, second, strict=True) if len(a) == len(b))


@given(lengths_of_texts, st.integers(16, 400))
def test_parts_of_a_batch_hold_its_rows(lengths: np.ndarray, budget: int) -> None:
    rows = np.arange(len(lengths))[::-1]
    tokens = Tokens(np.zeros(lengths.sum(), np.int32), np.cumsum([0, *lengths]), None, np.zeros(len(lengths), bool))
    assert sorted(np.concatenate(split_by_tokens(rows, tokens, budget))) == sorted(rows)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=60), st.integers(1, 9), st.integers(0, 3), st.integers(16, 200))
def test_the_texts_of_an_input_stay_together(sizes: list[int], batch: int, epoch: int, budget: int) -> None:
    owners = np.repeat(np.arange(len(sizes)), sizes)
    lengths = np.random.default_rng(len(owners)).integers(1, 30, len(owners))
    tokens = Tokens(
        np.zeros(lengths.sum(), np.int32), np.cumsum([0, *lengths]), None, np.zeros(len(lengths), bool),
        owners=owners, bound=True,
    )  # fmt: skip
    batches = batches_of_groups(tokens, batch_size=batch, seed=1, epoch=epoch)
    assert sorted(np.concatenate(batches)) == list(range(len(owners)))
    parts = [part for each in batches for part in split_by_tokens(each, tokens, budget)]
    assert sorted(np.concatenate(parts)) == list(range(len(owners)))
    for part in [*batches, *parts]:
        assert all(np.count_nonzero(owners[part] == owner) == sizes[owner] for owner in owners[part])


@given(lengths_of_texts, st.integers(16, 2048), st.integers(0, 200))
def test_padding_stays_within_what_one_more_batch_costs(lengths: np.ndarray, budget: int, padding: int) -> None:
    for rows in inference_batches(lengths, max_tokens=budget, max_padding=padding):
        assert len(rows) * lengths[rows].max() - lengths[rows].sum() <= padding


def test_texts_of_like_length_stay_together() -> None:
    batches = inference_batches(np.array([80, 10, 11, 79, 12, 78]), max_tokens=2048)
    assert [rows.tolist() for rows in batches] == [[1, 2, 4], [5, 3, 0]]


def test_batches_by_chance_hold_each_row_once_and_texts_of_any_length() -> None:
    lengths = np.arange(64)
    batches = training_batches(lengths, batch_size=8, seed=0, epoch=0, by_length=False)
    assert sorted(np.concatenate(batches)) == list(range(64))
    assert np.mean([np.ptp(lengths[batch]) for batch in batches]) > 3 * 8


@st.composite
def turns(draw: st.DrawFn) -> Turns:
    """Groups of which some take turns, fewer or more of them an epoch than there are."""
    groups = draw(st.permutations(range(draw(st.integers(2, 40)))))
    always = draw(st.integers(1, len(groups) - 1))
    return Turns(np.array(groups[:always], int), np.array(groups[always:]), draw(st.integers(0, 2 * len(groups))))


@given(turns(), st.integers(1, 30))
def test_those_that_take_turns_are_seen_equally_often_and_all_others_in_every_epoch(turns: Turns, epochs: int) -> None:
    seen = np.concatenate([turns.of(epoch) for epoch in range(epochs)])
    counts = np.bincount(seen, minlength=len(turns.always) + len(turns.rotating))
    assert np.ptp(counts[turns.rotating]) <= 1
    assert counts[turns.rotating].sum() == epochs * turns.each
    assert (counts[turns.always] == epochs).all()


@given(turns(), st.integers(0, 30))
def test_an_epoch_has_as_many_as_every_other_and_others_if_there_are_enough(turns: Turns, epoch: int) -> None:
    now, then = turns.of(epoch), turns.of(epoch + 1)
    assert len(now) == len(then) == len(turns.always) + turns.each
    assert np.array_equal(now, turns.of(epoch))
    if 2 * turns.each <= len(turns.rotating):
        assert not set(now) & set(then) - set(turns.always)
    if turns.each <= len(turns.rotating):
        assert len(set(now)) == len(now)


def text_tokens(sizes: list[int], *, bound: bool) -> Tokens:
    """Texts of chance lengths; where they are bound, so many of each input."""
    owners = np.repeat(np.arange(len(sizes)), sizes)
    lengths = np.random.default_rng(len(owners)).integers(1, 30, len(owners))
    return Tokens(
        np.zeros(lengths.sum(), np.int32), np.cumsum([0, *lengths]), None, np.zeros(len(lengths), bool),
        owners=owners, bound=bound,
    )  # fmt: skip


@settings(max_examples=50)
@given(turns(), st.integers(1, 9), st.integers(0, 5), st.booleans())
def test_batches_hold_the_groups_whose_turn_it_is_and_as_many_steps_as_any_epoch(
    turns: Turns, size: int, epoch: int, by_length: bool
) -> None:
    count = len(turns.always) + len(turns.rotating)
    tokens = text_tokens([1] * count, bound=False)
    deal = {"batch_size": size, "seed": 1, "by_length": by_length, "turns": turns}
    batches = batches_of_groups(tokens, epoch=epoch, **deal)
    assert sorted(np.concatenate(batches)) == sorted(turns.of(epoch))
    assert (
        len(batches) == len(batches_of_groups(tokens, epoch=0, **deal)) == -(-(len(turns.always) + turns.each) // size)
    )


@settings(max_examples=50)
@given(turns(), st.integers(1, 5), st.integers(0, 5), st.data())
def test_the_texts_of_an_input_take_their_turn_together(
    turns: Turns, size: int, epoch: int, data: st.DataObject
) -> None:
    count = len(turns.always) + len(turns.rotating)
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=count, max_size=count))
    tokens = text_tokens(sizes, bound=True)
    batches = batches_of_groups(tokens, batch_size=size, seed=1, epoch=epoch, turns=turns)
    texts = np.concatenate(batches)
    owners = np.arange(count).repeat(sizes)
    expected = np.concatenate([np.flatnonzero(owners == group) for group in turns.of(epoch)])
    assert sorted(texts) == sorted(expected)
    for batch in batches:
        times = np.bincount(owners[batch], minlength=count)
        assert (times % np.array(sizes) == 0).all() and (times // np.array(sizes)).sum() <= size


def test_all_groups_in_every_epoch_are_what_there_is_without_turns() -> None:
    tokens, everything = text_tokens([1, 3, 2, 4, 1], bound=True), Turns(np.arange(5), np.arange(1), 0)
    for epoch in range(3):
        deal = {"batch_size": 2, "seed": 3, "epoch": epoch}
        with_turns, without = batches_of_groups(tokens, **deal, turns=everything), batches_of_groups(tokens, **deal)
        assert all(np.array_equal(one, other) for one, other in zip(with_turns, without, strict=True))
