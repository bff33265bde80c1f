"""Differences of two texts, word by word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from tuneloop.data.changes import Change, word_changes

TEXTS = some.text(some.sampled_from("ab 1.,'\n好吃"), max_size=30)


@given(TEXTS, TEXTS)
def test_both_texts_are_told_by_their_differences(before: str, after: str) -> None:
    changes = word_changes(before, after)
    assert "".join(each.text for each in changes if each.kind != "ins") == before
    assert "".join(each.text for each in changes if each.kind != "del") == after


def test_words_are_never_cut_and_numbers_stay_whole() -> None:
    assert word_changes("It costs 1,000 euros.", "It costs 1,500 euros.") == [
        Change("same", "It costs "), Change("del", "1,000"), Change("ins", "1,500"), Change("same", " euros."),
    ]  # fmt: skip


def test_equal_texts_have_no_difference() -> None:
    assert word_changes("so be it", "so be it") == [Change("same", "so be it")]
    assert word_changes("", "") == []
