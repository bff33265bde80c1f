"""Texts are mended only where they need it, and each change is counted."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.core.preparation import CleanConfig
from tuneloop.data.clean import clean_inputs, clean_text, clean_texts


@pytest.mark.parametrize(
    ("broken", "mended", "step"),
    [
        ("cafÃ© crÃ¨me", "café crème", "encoding"),
        ("cafe\u0301", "café", "unicode"),
        ("a\x00b\x1fc\ufeff", "abc", "control"),
        ("half \ud83d", "half \ufffd", "surrogates"),
    ],
)
def test_each_step_mends_and_counts(broken: str, mended: str, step: str) -> None:
    texts, counts = clean_texts([broken, "sound", "完好的文本", "été\n\tdé"], CleanConfig())
    assert texts == [mended, "sound", "完好的文本", "été\n\tdé"]
    assert +counts == Counter({step: 1})


def test_texts_and_pairs_to_answer_are_mended_alike() -> None:
    inputs = ["cafÃ©", ("a\x00b", "cafe\u0301")]
    assert clean_inputs(inputs, CleanConfig()) == ["café", ("ab", "café")]


def test_what_is_turned_off_changes_nothing() -> None:
    config = CleanConfig(unicode="none", fix_encoding=False, control=False)
    broken = ["cafÃ©", "cafe\u0301", "a\x00b"]
    assert clean_texts(broken, config) == (broken, Counter())


@given(st.text())
def test_a_clean_text_stays_as_it_is(text: str) -> None:
    once = clean_text(text, CleanConfig(fix_encoding=False), Counter())
    assert clean_text(once, CleanConfig(fix_encoding=False), Counter()) == once
    once.encode("utf-8")
