"""Words, phrases and characters, and texts in which some are absent."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.audited import word_model
from tuneloop.explain.base import Question
from tuneloop.explain.game import Game
from tuneloop.explain.target import Target
from tuneloop.explain.units import coarser, units_of
from tuneloop.media.items import compose, parse

ALPHABET = st.text(alphabet="ab 好评，。!'\n", max_size=20)


def texts(item: object, grain: object = "word", **more: int) -> list[str]:
    return [unit.text for unit in units_of(item, grain, **more)]  # type: ignore[arg-type]


def test_words_keep_their_signs_and_chinese_is_cut_into_words() -> None:
    assert texts("I don't like it, at all!!") == ["I", "don't", "like", "it,", "at", "all!!"]
    assert texts("酒店很干净，服务不好。Wifi OK") == ["酒店", "很", "干净，", "服务", "不好。", "Wifi", "OK"]
    assert texts("酒店 好", "character") == ["酒", "店", "好"]


def test_phrases_end_at_signs_or_after_some_words() -> None:
    assert texts("the room, so clean. a b c d e f g", "phrase") == ["the room,", "so clean.", "a b c d e f", "g"]


def test_a_long_text_has_no_more_units_than_wanted_and_a_pair_is_part_of_it() -> None:
    assert texts("a b c d e", most=2) == ["a b c", "d e"]
    assert [(unit.text, unit.part) for unit in units_of(("a b", "c"))] == [("a", "text"), ("b", "text"), ("c", "pair")]


@given(ALPHABET)
def test_units_hold_every_character_but_spaces_once_and_in_order(text: str) -> None:
    for grain in ("word", "phrase", "character"):
        found = units_of(text, grain)
        assert "".join("".join(unit.text.split()) for unit in found) == "".join(text.split())
        assert all(text[unit.start : unit.end] == unit.text for unit in found)


def left(text: str, *present: bool) -> object:
    return Game(word_model(), Question(text, units_of(text), Target("yes", 1, "probability"), False)).item(present)


def test_no_words_grow_together_and_no_spaces_are_left_over() -> None:
    assert left("foo 好 bar", True, False, True) == "foo bar"
    assert left("foo 好bar baz", True, False, True, False) == "foo bar"
    assert left("酒店很好", True, False, True) == "酒店好" or left("酒店很好", True, False) == "酒店"
    assert left("a b c", False, True, True) == "b c"
    assert left("a b c", False, False, False) == ""


@given(ALPHABET)
def test_a_text_of_which_nothing_is_absent_is_the_text(text: str) -> None:
    units = units_of(text)
    assert left(text, *[True] * len(units)) == text.strip()


def test_a_set_is_asked_for_once() -> None:
    model = word_model()
    game = Game(model, Question("a a", units_of("a a"), Target("yes", 1, "probability"), False))
    game.values(np.array(list(product([False, True], repeat=2))))
    game.values(np.array([[True, True]]))
    assert model.asked == ["", "a", "a a"] and game.asked == 3


@pytest.mark.parametrize("scale", ["probability", "log_odds"])
def test_log_odds_have_an_end(scale: str) -> None:
    found = Target("yes", 1, scale).of(np.array([[1.0, 0.0], [0.0, 1.0]], np.float32))  # type: ignore[arg-type]
    assert np.isfinite(found).all() and found[0] < found[1]


ITEM = compose({"text": "a red dress", "image": "x", "tabular": {"price": 3, "shop": "north"}})


def test_of_an_item_only_the_text_is_cut() -> None:
    beside = ["price = 3", "shop = north", "[image]"]
    assert texts(ITEM) == ["a", "red", "dress", *beside]
    assert texts(ITEM, "phrase") == ["a red dress", *beside]
    assert texts(ITEM, "modality") == ["a red dress", "price = 3\nshop = north", "[image]"]
    assert texts(compose({"image": "x"}), "modality") == ["[image]"] and texts(compose({})) == []
    assert texts("a red dress", "modality") == ["a red dress"]
    both = units_of((compose({"text": "a"}), compose({"image": "x"})), "modality")
    assert [(unit.text, unit.part) for unit in both] == [("a", "text"), ("[image]", "pair")]


@pytest.mark.parametrize("grain", ["word", "character", "modality"])
def test_of_an_item_what_is_present_is_left(grain: str) -> None:
    units = units_of(ITEM, grain)  # type: ignore[arg-type]
    game = Game(word_model(), Question(ITEM, units, Target("yes", 1, "probability"), False))
    assert game.item([True] * len(units)) == ITEM
    assert game.item([False] * len(units)) == compose({})
    without_image = game.item([unit.text != "[image]" for unit in units])
    assert parse(str(without_image)) == {name: part for name, part in parse(ITEM).items() if name != "image"}
    image = game.item([unit.text == "[image]" for unit in units])
    assert image == compose({"image": "x"})


def test_words_of_an_item_are_lost_as_of_any_text() -> None:
    units = units_of(ITEM)
    game = Game(word_model(), Question(ITEM, units, Target("yes", 1, "probability"), False))
    assert parse(str(game.item([True, False, True, False, True, False]))) == {
        "text": "a dress", "tabular": {"shop": "north"},
    }  # fmt: skip


def test_units_of_an_item_are_taken_together_where_there_are_too_many() -> None:
    units = units_of(ITEM, most=3)
    assert [unit.text for unit in units] == ["a red", "dress\nprice = 3", "shop = north\n[image]"]
    game = Game(word_model(), Question(ITEM, units, Target("yes", 1, "probability"), False))
    assert parse(str(game.item([False, True, False]))) == {"text": "dress", "tabular": {"price": "3"}}
    found, together = coarser(ITEM, units_of(ITEM), 2)
    assert [unit.text for unit in found] == ["a red dress", "price = 3\nshop = north\n[image]"] and together == 3
