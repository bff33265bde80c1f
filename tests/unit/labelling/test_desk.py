"""One person at a screen: nothing is lost, nothing is answered unseen, two people do not take each other's texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuneloop.labelling.desk import Desk, asks_here
from tuneloop.labelling.store import Item, LabelStore, item_id


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    """30 texts and two classes."""
    made = LabelStore(tmp_path, create="classification")
    texts = [f"text {number}" for number in range(30)]
    made.keep([Item(item_id(text), text, why="suggested") for text in texts], names=["good", "bad"])
    return made


def seen(desk: Desk) -> str:
    item = desk.current
    assert item is not None
    return item.id


def test_every_text_is_asked_about_once_and_a_new_desk_goes_on(store: LabelStore) -> None:
    desk, answered = Desk(store, "anna"), []
    for _ in range(25):
        answered.append(seen(desk))
        assert desk.answer(answered[-1], "good")
    again = Desk(store, "anna")
    while again.current:
        answered.append(seen(again))
        assert again.answer(answered[-1], skipped=True)
    assert len(set(answered)) == 30 and again.progress() == (25, 5, 30, 0)
    assert all(each.seconds is not None for each in store.answers())


def test_an_answer_to_a_text_that_is_no_longer_shown_is_not_kept(store: LabelStore) -> None:
    desk = Desk(store, "anna")
    first = seen(desk)
    assert desk.answer(first, "good")
    assert not desk.answer(first, "bad")
    with pytest.raises(ValueError, match="did you mean good"):
        desk.answer(seen(desk), "goood")
    assert [each.label for each in store.answers()] == ["good"]


def test_undoing_shows_the_text_again_with_what_was_said(store: LabelStore) -> None:
    desk = Desk(store, "anna")
    assert desk.undo() is None
    first = seen(desk)
    desk.answer(first, "bad")
    second = seen(desk)
    undone = desk.undo()
    assert undone and desk.before == undone and undone.label == "bad" and seen(desk) == first
    desk.answer(first, "good")
    assert desk.before is None and seen(desk) == second
    assert [each.label for each in store.answers()] == ["good"]


def test_two_people_share_the_texts_and_settle_what_others_disagree_on(store: LabelStore) -> None:
    anna, ben = Desk(store, "anna"), Desk(store, "ben")
    assert seen(anna) != seen(ben)
    both = Desk(store, "cleo", per_item=3)
    assert seen(both) == seen(anna)
    both.answer(seen(both), "good")
    anna.answer(seen(anna), "bad")
    judge = Desk(store, "dora", disagreed=True)
    split = store.answers()[0].item
    assert judge.progress().split == 1 and seen(judge) == split
    judge.answer(split, "bad")
    assert judge.current is None


def test_stretches_are_asked_about_elsewhere() -> None:
    assert asks_here("multilabel") and asks_here("pair_regression")
    assert not asks_here("tagging") and not asks_here("generation")
