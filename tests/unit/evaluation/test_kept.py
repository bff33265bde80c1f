"""Numbers and names that an answer has lost or made up."""

from __future__ import annotations

import pytest

from tuneloop.evaluation.kept import kept


@pytest.mark.parametrize(
    ("text", "answer", "lost", "made_up"),
    [
        ("We meet Anna at 10:30.", "At 10:30 we see Anna.", (), ()),
        ("It costs 1,000 euros.", "The price is 1000 euros.", (), ()),
        ("We need Three chairs.", "We need 3 chairs.", (), ()),
        ("We need three chairs.", "We need four chairs.", ("3",), ("4",)),
        ("It costs 30 euros.", "It costs 80 euros.", ("30",), ("80",)),
        ("Some at 5 and one at 5.", "One at 5.", ("5",), ()),
        ("Ask Maria or Tom.", "Ask Tom.", ("maria",), ()),
        ("Ask her today.", "Ask Maria today.", (), ("maria",)),
        ("Yesterday Bob met Bob.", "Bob met himself.", (), ()),
        ("我们有三十天。", "我们有30天。", (), ()),
        ("我们有三十天。", "我们有13天。", ("30",), ("13",)),
    ],
)
def test_what_is_lost_and_made_up_is_told(text: str, answer: str, lost: tuple, made_up: tuple) -> None:
    found = kept(text, answer)
    assert found.lost == lost
    assert found.made_up == made_up
