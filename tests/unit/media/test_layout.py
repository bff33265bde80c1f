"""Items as texts in which every part has its place, and what is left of them."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.media.items import compose, parse
from tuneloop.media.layout import laid_out, left_of

WHOLE = {"text": "a red dress", "image": "i" * 64, "audio": "s" * 64, "tabular": {"price": "3.5", "shop": "north"}}


def test_every_part_stands_where_the_layout_says() -> None:
    layout = laid_out(compose(WHOLE))
    assert layout.shown == "a red dress\nprice = 3.5\nshop = north\n[image]\n[audio]"
    assert layout.text == "a red dress"
    named = {**layout.values, **layout.files}
    assert {name: layout.shown[slice(*place)] for name, place in named.items()} == {
        "price": "price = 3.5", "shop": "shop = north", "image": "[image]", "audio": "[audio]",
    }  # fmt: skip
    assert [layout.shown[slice(*place)] for place in layout.modalities] == [
        "price = 3.5\nshop = north", "[image]", "[audio]",
    ]  # fmt: skip


def test_a_plain_text_is_its_own_layout_and_an_item_without_text_begins_with_its_first_part() -> None:
    assert laid_out("a [image] b") == laid_out("a [image] b").__class__("a [image] b", "a [image] b", {}, {})
    assert laid_out(compose({"image": "x"})).shown == "[image]"
    assert laid_out(compose({})).shown == "" and laid_out(compose({})).places == laid_out("").modalities == []


def test_a_text_that_says_image_is_no_image() -> None:
    layout = laid_out(compose({"text": "[image]", "image": "x"}))
    assert layout.shown == "[image]\n[image]" and layout.files == {"image": (8, 15)}


@pytest.mark.parametrize("size", range(5))
def test_what_is_left_are_the_parts_that_are_kept_and_the_text_that_is_given(size: int) -> None:
    item, layout = compose(WHOLE), laid_out(compose(WHOLE))
    named = {**layout.values, **layout.files}
    for names in combinations(named, size):
        left = parse(left_of(item, "red", [named[name] for name in names]))
        assert left.pop("text") == "red"
        assert {*left.get("tabular", {}), *left} - {"tabular"} == set(names)
        assert all(left["tabular"][name] == WHOLE["tabular"][name] for name in names if name in layout.values)  # type: ignore[index]


def test_a_part_that_is_kept_in_part_is_lost() -> None:
    item, layout = compose(WHOLE), laid_out(compose(WHOLE))
    start, end = layout.files["image"]
    assert "image" not in parse(left_of(item, "a", [(start, end - 1)]))
    assert "image" not in parse(left_of(item, "a", [(start + 1, end), (start, start + 1)]))
    assert "image" in parse(left_of(item, "a", [(start - 3, end + 1)]))


def test_one_place_of_all_values_keeps_all_of_them() -> None:
    item, layout = compose(WHOLE), laid_out(compose(WHOLE))
    assert parse(left_of(item, "", layout.modalities[:1])) == {"tabular": WHOLE["tabular"]}
    assert left_of(item, layout.text, layout.modalities) == left_of(item, layout.text, layout.places) == item
    assert left_of(item, "", []) == compose({})


@given(st.text(max_size=20), st.dictionaries(st.text(max_size=5), st.text(min_size=1, max_size=5), max_size=3))
def test_places_of_any_text_and_values_do_not_meet_and_keep_the_item(text: str, values: dict[str, str]) -> None:
    item = compose({"text": text, "tabular": values, "image": "x"})
    layout = laid_out(item)
    places = layout.places
    assert layout.shown.startswith(layout.text)
    assert all(
        before[1] < after[0] for before, after in zip([(0, len(layout.text) - 1), *places], places, strict=False)
    )
    assert left_of(item, layout.text, places) == item
