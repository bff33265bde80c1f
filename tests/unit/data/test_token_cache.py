"""Tokens come from the cache only if they are those of the same texts and tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tuneloop.data import token_cache
from tuneloop.data.examples import Input
from tuneloop.data.token_cache import cached_tokens
from tuneloop.data.tokens import Tokens


class Letters:
    """A tokenizer of letters that counts how often it is used."""

    def __init__(self, identity: str = "letters") -> None:
        self.identity = identity
        self.calls = 0

    def encode(self, inputs: Sequence[Input]) -> Tokens:
        self.calls += 1
        texts = [item if isinstance(item, str) else "".join(item) for item in inputs]
        ids = np.array([ord(letter) for text in texts for letter in text], dtype=np.int32)
        offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        types = None if isinstance(inputs[0], str) else np.ones(len(ids), np.int8)
        return Tokens(ids, offsets, types, np.zeros(len(texts), bool), 7)


@pytest.mark.parametrize("inputs", [["ab", "", "cde"], [("a", "b"), ("c", "")]])
def test_the_second_time_nothing_is_encoded(inputs: list[Input], tmp_path: Path) -> None:
    letters = Letters()
    first, second = cached_tokens(letters, inputs, tmp_path), cached_tokens(letters, inputs, tmp_path)
    assert letters.calls == 1 and second.pad_id == 7
    for name in ("ids", "offsets", "type_ids", "truncated"):
        one, two = getattr(first, name), getattr(second, name)
        assert (one is None and two is None) or (one.dtype == two.dtype and (one == two).all())


def test_other_texts_pairs_or_tokenizers_are_not_taken_for_these(tmp_path: Path) -> None:
    letters = Letters()
    for inputs in (["ab", "c"], ["a", "bc"], [("ab", "c")], ["ab", "c", ""]):
        cached_tokens(letters, inputs, tmp_path)
    assert letters.calls == 4
    other = Letters("others")
    cached_tokens(other, ["ab", "c"], tmp_path)
    assert other.calls == 1
    cached_tokens(letters, ["ab", "c"], None)
    assert letters.calls == 5


@pytest.mark.parametrize("place", [0, 100])
def test_a_damaged_file_is_made_again(place: int, tmp_path: Path) -> None:
    letters = Letters()
    cached_tokens(letters, ["ab", "c" * 500], tmp_path)
    (path,) = (tmp_path / "tokens").iterdir()
    whole = path.read_bytes()
    for damaged in (
        whole[: len(whole) // 2],
        b"",
        whole[:place] + b"#!#!" + whole[place + 4 :],
    ):
        path.write_bytes(damaged)
        assert cached_tokens(letters, ["ab", "c" * 500], tmp_path).lengths.tolist() == [2, 500]
    assert path.read_bytes() == whole


def test_all_that_tokens_hold_comes_back(tmp_path: Path) -> None:
    made = Tokens(
        ids=np.arange(5, dtype=np.int32),
        offsets=np.array([0, 2, 5]),
        type_ids=np.array([0, 1, 0, 1, 1], np.int8),
        truncated=np.array([True, False]),
        pad_id=3,
        places=np.arange(10, dtype=np.int32).reshape(5, 2),
        owners=np.array([0, 0]),
        bound=True,
        columns=2,
    )
    fixed = Letters()
    fixed.encode = lambda inputs: made  # type: ignore[method-assign]
    cached_tokens(fixed, ["one"], tmp_path)
    again = cached_tokens(Letters(), ["one"], tmp_path)
    for name, value in vars(made).items():
        found = getattr(again, name)
        assert np.array_equal(found, value) and getattr(found, "dtype", 0) == getattr(value, "dtype", 0), name


def test_a_changed_number_is_noticed(tmp_path: Path) -> None:
    letters = Letters()
    cached_tokens(letters, ["abcdefgh"], tmp_path)
    (path,) = (tmp_path / "tokens").iterdir()
    whole = path.read_bytes()
    place = whole.index(np.array([ord("c")], np.int32).tobytes())
    path.write_bytes(whole[:place] + b"x" + whole[place + 1 :])
    assert cached_tokens(letters, ["abcdefgh"], tmp_path).ids.tolist() == [*map(ord, "abcdefgh")]
    assert letters.calls == 2


def test_many_texts_tell_how_far_their_tokens_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(token_cache, "SHOWN_FROM", 3)
    inputs = ["ab", "c", ""]
    shown = cached_tokens(Letters(), inputs, tmp_path, quiet=False)
    assert "3/3" in capsys.readouterr().err
    assert shown.lengths.tolist() == [2, 1, 0]
    cached_tokens(Letters(), inputs, tmp_path, quiet=False)  # from the cache: nothing to wait for
    cached_tokens(Letters("others"), inputs, tmp_path)
    assert capsys.readouterr().err == ""
