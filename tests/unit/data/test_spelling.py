"""Slips that are corrected, and all that is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tuneloop.core.errors import DataError
from tuneloop.data.spelling import Speller, vocabulary_words

WORDS = ("the", "and", "receive", "message", "tomorrow", "because", "happy", "stop", "test", "committee", "that", "had")
SPELLER = Speller(WORDS)


@pytest.mark.parametrize(
    ("slip", "right"),
    [
        ("recieve", "receive"), ("tomorow", "tomorrow"), ("comittee", "committee"), ("becauze", "because"),
        ("teh", "the"), ("adn", "and"), ("messagge", "message"), ("dont", "don't"),
    ],
)  # fmt: skip
def test_a_slip_is_corrected_to_the_word_that_is_near(slip: str, right: str) -> None:
    assert SPELLER.word(slip) == right


@pytest.mark.parametrize(
    "word", ["happily", "stopped", "testing", "untestable", "tests", "messages", "zebra", "qu", "tha's"]
)
def test_known_words_with_endings_and_words_that_nothing_is_near_stay(word: str) -> None:
    assert SPELLER.word(word) == word


def test_of_several_near_words_the_most_frequent_is_taken() -> None:
    assert Speller(["form", "from", "fork"]).word("forn") == "form"
    assert Speller(["fork", "form"]).word("forn") == "fork"


def test_a_rare_word_of_three_letters_is_not_what_another_one_means() -> None:
    rare = [f"{a}{b}{c}x" for a in "abcdefgh" for b in "abcdefgh" for c in "abcd"]
    assert Speller(["mig", *rare]).word("img") == "mig"
    assert Speller([*rare, "mig"]).word("img") == "img"


def test_a_word_with_the_same_first_letter_is_preferred_to_a_more_frequent_one() -> None:
    assert Speller(["dress", "address"]).word("adress") == "address"


@pytest.mark.parametrize(
    "text",
    [
        "Recieve",
        "x@recieve.com",
        "http://a.b/recieve",
        "recieve.py",
        "<recieve>",
        "recieve2",
        "#recieve",
        "Mr Tomorow",
        "The 1,0000 tests",
    ],
)
def test_names_numbers_addresses_and_code_are_left_alone(text: str) -> None:
    assert SPELLER.correct(text) == text


def test_blanks_doubled_words_and_small_letters_are_mended_and_had_had_is_not() -> None:
    assert SPELLER.correct("because the the message , i had had . that that stop") == (
        "Because the message, I had had. That that stop"
    )
    assert SPELLER.correct("the file a .yaml and e.g. the test") == "The file a .yaml and e.g. the test"


@given(some.text(some.sampled_from("abI 1.,-'T\n"), max_size=40))
def test_digits_never_change_and_a_corrected_text_is_corrected_already(text: str) -> None:
    found = Speller(["ab", "bab", "abba"]).correct(text)
    assert [each for each in found if each.isdigit()] == [each for each in text if each.isdigit()]


def test_a_vocabulary_gives_its_whole_words_in_order(tmp_path: Path) -> None:
    model = {"continuing_subword_prefix": "##", "vocab": {"[PAD]": 0, "the": 1, "##ing": 2, "a": 3, "of": 4, "né": 5}}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": model}))
    assert vocabulary_words(tmp_path) == ["the", "of"]
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"the": 0}}}))
    with pytest.raises(DataError, match="no vocabulary of whole words"):
        vocabulary_words(tmp_path)
