"""Items as strings: equal ones are equal strings, and no text is taken for one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.media.items import compose, described, is_item, parse, with_text, without

words = st.text(max_size=12)
said = words.filter(lambda text: text.strip() != "")
items = st.fixed_dictionaries(
    {}, optional={"text": said, "image": said, "audio": said,
                  "tabular": st.dictionaries(words, said, min_size=1, max_size=3)},
)  # fmt: skip


@given(items)
def test_what_was_composed_is_parsed_again(parts: dict[str, object]) -> None:
    made = compose(parts)
    assert is_item(made) and made.isascii()
    assert parse(made) == parts
    assert compose(parse(made)) == made


@given(items, st.randoms())
def test_equal_items_are_equal_strings_in_whatever_order_they_were_given(parts: dict, random: object) -> None:
    def shuffled(given: dict) -> dict:
        names = list(given)
        random.shuffle(names)  # type: ignore[attr-defined]
        return {name: shuffled(given[name]) if isinstance(given[name], dict) else given[name] for name in names}

    assert compose(shuffled(parts)) == compose(parts)


@pytest.mark.parametrize("nothing", [None, "", "  \n", float("nan")])
def test_what_is_missing_is_left_out(nothing: object) -> None:
    lacking = {"text": nothing, "image": nothing, "audio": nothing, "tabular": {"price": nothing, "shop": "north"}}
    assert parse(compose(lacking)) == {"tabular": {"shop": "north"}}
    assert compose({"text": "a", "tabular": {"price": nothing}}) == compose({"text": "a"})
    assert compose({"tabular": None}) == compose({}) == '{"item":{}}'


def test_values_are_kept_as_they_are_written() -> None:
    assert parse(compose({"tabular": {"price": 3.5, "rooms": 2, "open": True}})) == {
        "tabular": {"price": "3.5", "rooms": "2", "open": "True"}
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a plain text",
        '{"item":',
        '{"item":{"text":"a"}',  # damaged
        '{"item":{"text":"a"}} and more',
        '{"item":' + "[" * 100_000,
        '{"item":5}',
        '{"item":null}',
        '{"item":["text"]}',
        '{"item":{"text":"a"},"other":1}',  # other keys
        '{"item":{"text":"a","colour":"red"}}',
        '{"item":{"text":5}}',  # other values
        '{"item":{"image":null}}',
        '{"item":{"tabular":"a"}}',
        '{"item":{"tabular":{"price":3.5}}}',
        '{"item": {"text": "a"}}',  # written in another way than `compose` writes
        '{"item":{"text":""}}',
        '{"item":{"tabular":{}}}',
        '{"item":{"text":"a","image":"b"}}',
        '{"item":{"text":"a","text":"b"}}',
        '{"item":{"text":"ä"}}',
    ],
)
def test_a_text_that_only_looks_like_an_item_stays_a_text(text: str) -> None:
    assert not is_item(text)
    assert parse(text) == ({"text": text} if text else {})
    assert with_text(text, str.upper) == (compose({"text": text.upper()}) if text else "")
    assert parse(compose({"text": text})) == parse(text)


def test_a_text_that_holds_an_item_is_the_text_of_one() -> None:
    inner = compose({"image": "0" * 64})
    assert parse(compose({"text": inner})) == {"text": inner}


def test_the_text_of_an_item_is_changed_and_modalities_are_taken_away() -> None:
    both = compose({"text": "a b", "image": "x", "tabular": {"price": 1}})
    assert parse(with_text(both, str.upper)) == {"text": "A B", "image": "x", "tabular": {"price": "1"}}
    assert "text" not in parse(with_text(both, lambda text: ""))
    alone = compose({"image": "x"})
    assert with_text(alone, str.upper) == alone
    assert parse(without(both, {"image", "tabular"})) == {"text": "a b"}
    assert without(both, {"text", "image", "tabular"}) == compose({})
    assert without("a b", {"image"}) == compose({"text": "a b"})


def test_an_item_in_words_names_its_files_and_a_text_stays_as_it_is() -> None:
    item = compose({"text": "a b", "image": "0123456789", "tabular": {"price": 1}})
    assert described(item) == "a b price=1 [image 01234567]"
    assert described("a b") == "a b"
    assert json.loads(item)["item"]["text"] == "a b"
