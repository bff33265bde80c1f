"""A tokenizer made from texts: the same in every process, and read by AutoTokenizer as by us."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from tuneloop.models.new_tokenizer import train_tokenizer
from tuneloop.models.tokenizer import Tokenizer

TEXTS = [
    *["这本书很好看，内容不错。", "质量太差了，不推荐买这本书", "The book is great, greater than others", "Books ab"]
    * 3,
    *[f"{a}{b}{a} {b}x{a} {b}{a}y" for a in "abcdefgh" for b in "mnopqrst"],
]

PROGRAM = """
import json, sys
from pathlib import Path
from tuneloop.models.new_tokenizer import train_tokenizer
train_tokenizer(json.loads(sys.stdin.read()), Path(sys.argv[1]), vocabulary=150, max_tokens=32)
"""


def test_two_processes_make_the_same_file(tmp_path: Path) -> None:
    """Hash maps have another order in each process; left to itself, the trainer lets that decide ties."""
    for name in "ab":
        subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path / name)], input=json.dumps(TEXTS), text=True)
    one, other = ((tmp_path / name / "tokenizer.json").read_bytes() for name in "ab")
    assert one == other


def test_chinese_characters_stand_apart_and_words_are_cut_into_known_runs(tmp_path: Path) -> None:
    count = train_tokenizer(TEXTS, tmp_path, vocabulary=150, max_tokens=32)
    tokenizer = Tokenizer(tmp_path, 32)
    vocabulary = tokenizer._inner.get_vocab()
    names = {number: name for name, number in vocabulary.items()}
    assert count == len(vocabulary) <= 150 and sorted(names) == list(range(count))
    shown = [names[number] for number in tokenizer.encode(["这本书 GREAT？"]).ids]
    assert shown[:4] == ["[CLS]", "这", "本", "书"] and shown[-2:] == ["[UNK]", "[SEP]"]
    assert "".join(shown[4:-2]).replace("##", "") == "great"


def test_a_small_vocabulary_keeps_the_commonest_signs(tmp_path: Path) -> None:
    assert train_tokenizer(["a a a b b", "a c"], tmp_path, vocabulary=7, max_tokens=8) == 7
    known = Tokenizer(tmp_path, 8)._inner.get_vocab()
    assert {*known} == {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"}


def test_transformers_reads_the_same_tokens(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, BertConfig

    train_tokenizer(TEXTS, tmp_path, vocabulary=150, max_tokens=32)
    BertConfig().save_pretrained(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    ours = Tokenizer(tmp_path, 32)
    for text in TEXTS:
        assert ours.encode([text]).ids.tolist() == theirs(text)["input_ids"]
    assert (theirs.mask_token_id, theirs.pad_token_id) == (ours.marks.mask, ours.pad_id) == (4, 0)
    assert theirs.model_max_length == 32


def test_a_long_text_is_several_pieces_that_lose_nothing(tmp_path: Path) -> None:
    train_tokenizer(TEXTS, tmp_path, vocabulary=150, max_tokens=32)
    short, long = Tokenizer(tmp_path, 8), Tokenizer(tmp_path, 1000)
    tokens = short.pieces(TEXTS)
    assert tokens.lengths.max() == 8 and len(tokens) > len(TEXTS)
    ends = tokens.batch(range(len(tokens)))["input_ids"]
    assert (ends[:, 0] == 2).all() and ((ends == 3).sum(axis=1) == 1).all()
    words = [ids[~np.isin(ids, short.marks.special[2:])] for ids in (tokens.ids, long.pieces(TEXTS).ids)]
    assert words[0].tolist() == words[1].tolist()
