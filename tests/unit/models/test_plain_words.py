"""Word by word come the very tokens that the tokenizer itself gives, of whatever text."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tuneloop.models import plain_words
from tuneloop.models.plain_words import PlainWords, parts_words
from tuneloop.models.tokenizer import Tokenizer, sound

LETTERS = "aAbzé好㐀很０!,.'-#[]\u0301\u200b\ufffd\ud800😀İΣς 　\u00a0\t\n\x0b\x1c\x85\x07\u2028"
texts = st.one_of(
    st.text(st.sampled_from(LETTERS), max_size=30),
    st.lists(st.sampled_from(["[MASK]", "[SEP]", "[CLS", "ab", "a" * 120, "好", " ", "zz."]), max_size=12).map("".join),
    st.text(max_size=20),
)
KINDS = [(True, None), (False, None), (True, False), (False, True)]


@functools.cache
def bert(*, lowercase: bool = True, strip_accents: bool | None = None) -> Path:
    """A folder with a tokenizer of BERT's kind that knows few words."""
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    known = [*marks, *"abzéA好很0!,.'-#[]", *(f"##{letter}" for letter in "abzé"), "ab", "##zz", "a\u0301"]
    inner = tokenizers.Tokenizer(
        tokenizers.models.WordPiece({word: number for number, word in enumerate(known)}, unk_token="[UNK]")
    )
    inner.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=lowercase, strip_accents=strip_accents)
    inner.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    inner.post_processor = tokenizers.processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    inner.add_special_tokens(marks)
    folder = Path(tempfile.mkdtemp())
    inner.save(str(folder / "tokenizer.json"))
    return folder


def without_words(folder: Path, max_tokens: int) -> Tokenizer:
    tokenizer = Tokenizer(folder, max_tokens)
    tokenizer._words = None
    return tokenizer


@pytest.mark.parametrize(("lowercase", "strip_accents"), KINDS)
@given(rows=st.lists(texts, max_size=6), max_tokens=st.integers(8, 20))
@example(rows=["a\x0bb", "a\u3000b", "好\u0301a", "a [MASK] b[SEP]", "", " "], max_tokens=8)
@settings(deadline=None, max_examples=60)
def test_word_by_word_come_the_tokens_of_the_whole_text(
    rows: list[str], max_tokens: int, lowercase: bool, strip_accents: bool | None
) -> None:
    folder = bert(lowercase=lowercase, strip_accents=strip_accents)
    ours, plain = Tokenizer(folder, max_tokens), without_words(folder, max_tokens)
    assert ours._words is not None
    for _ in range(2):  # unknown words, then kept ones
        for name in ("ids", "offsets", "type_ids", "truncated"):
            one, other = getattr(ours.encode(rows), name), getattr(plain.encode(rows), name)
            assert (one is None and other is None) or (one.dtype == other.dtype and np.array_equal(one, other)), name


def test_many_texts_in_pieces_are_the_texts_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ["ab zz.", ("a", "b"), "好很 a", "a " * 30, ("a" * 40, "b b b b"), ""] * 3
    whole = Tokenizer(bert(), 8).encode(rows)
    monkeypatch.setattr("tuneloop.models.tokenizer.CHUNK_TEXTS", 4)
    in_pieces, alone = Tokenizer(bert(), 8), Tokenizer(bert(), 8)
    found = in_pieces.encode(rows)
    for name in ("ids", "offsets", "type_ids", "truncated"):
        assert np.array_equal(getattr(found, name), getattr(whole, name))
    for number, row in enumerate(rows):
        ids = alone.encode([row]).ids
        assert np.array_equal(ids, whole.ids[whole.offsets[number] : whole.offsets[number + 1]])
    assert whole.type_ids is not None and whole.type_ids.max() == 1 and whole.truncated.any()
    assert len(in_pieces.encode([])) == 0


def test_the_table_stays_small_and_right_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_words, "KEPT_WORDS", 2)
    inner = tokenizers.Tokenizer.from_file(str(bert() / "tokenizer.json"))
    words = PlainWords(inner)
    for text in ("ab zz a b", "b zz ab", "c" * 40):
        assert words.encode([text], 512).ids.tolist() == inner.encode(text).ids
    assert len(words._kept) == 2 and "c" * 40 not in words._kept


def changed(**parts: Any) -> bool:
    return parts_words(json.loads((bert() / "tokenizer.json").read_text()) | parts)


def test_only_tokenizers_that_look_at_each_word_alone_are_taken() -> None:
    assert changed()
    assert not changed(model={"type": "BPE"}) and not changed(normalizer=None) and not changed(pre_tokenizer=None)
    normalizer = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": False, "lowercase": True}
    assert not changed(normalizer=normalizer)
    for word in ("New York", "很好", ""):
        assert not changed(added_tokens=[{"content": word}])
    late = [{"SpecialToken": {"id": "[CLS]", "type_id": 2}}, {"Sequence": {"id": "A", "type_id": 0}}]
    assert not changed(post_processor={"type": "TemplateProcessing", "single": late})


def test_a_half_character_is_read_as_before() -> None:
    assert (
        Tokenizer(bert(), 8).encode(["a\ud800"]).ids.tolist()
        == Tokenizer(bert(), 8).encode([sound("a\ud800")]).ids.tolist()
    )
