"""Text of tokens that come one by one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.inference.text_stream import TextStream


def bytes_to_text(ids) -> str:
    """As a tokenizer of bytes decodes."""
    return bytes(ids).decode("utf-8", "replace")


def words_to_text(ids) -> str:
    """As a tokenizer of words decodes: the first word has no space before it."""
    return " ".join(f"w{number}" for number in ids)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20), st.booleans())
def test_pieces_are_whole_characters_and_together_the_text(text, words):
    ids = list(text.encode("utf-8", "replace"))
    text_of = words_to_text if words else bytes_to_text
    stream = TextStream(text_of)
    pieces = [stream.push(number) for number in ids] + [stream.end()]
    assert "".join(pieces) == text_of(ids)
    assert words or "\ufffd" in text or not any("\ufffd" in piece for piece in pieces)


def test_broken_bytes_are_shown_in_the_end():
    stream = TextStream(bytes_to_text)
    assert [stream.push(number) for number in (0x61, 0xE4, 0xBD)] == ["a", "", ""]
    assert stream.end() == "\ufffd"


@settings(max_examples=200, deadline=None)
@given(st.text("abc", max_size=20), st.lists(st.text("abc", min_size=1, max_size=4), max_size=3))
def test_a_text_ends_before_the_first_stop_and_nothing_of_it_is_shown(text, stops):
    stream, said = TextStream(bytes_to_text, stops), ""
    for number in text.encode():
        said += stream.push(number)
        assert text.startswith(said)
        if stream.stopped:
            break
    said += stream.end()
    # the stop that is complete first ends the text; of two that end together, the longer
    ends = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
    assert said == (text[: min(ends)[1]] if ends else text)
    assert stream.stopped == bool(ends)


@pytest.mark.parametrize("text", ["Answer: yes", "Answer\n"])
def test_what_cannot_become_a_stop_is_not_held_back(text):
    stream = TextStream(bytes_to_text, ["\n\n"])
    said = [stream.push(number) for number in text.encode()]
    assert "".join(said) == text.rstrip("\n")
    assert "".join(said) + stream.end() == text
