"""Folders without tokenizer.json: SentencePiece files and vocabularies with merges, the whole way and refused."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import tuneloop as tl
from tuneloop.core.errors import MissingExtraError, ModelError
from tuneloop.models.source import resolve
from tuneloop.models.tokenizer import Tokenizer

TEXTS = ["good a b bad", "bad c d e", "good good f g h", "bad bad i j k", "l m n o good", "好 不 很 12"] * 20
T5 = {"tokenizer_class": "T5Tokenizer", "extra_ids": 0, "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNELOOP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def pieces(path: Path, **more: object) -> None:
    """Train a SentencePiece model of a few words into a file."""
    spm = pytest.importorskip("sentencepiece")
    written = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=written, hard_vocab_limit=False, minloglevel=2, **more
    )
    path.write_bytes(written.getvalue())


@pytest.fixture
def t5(tmp_path: Path) -> Path:
    """A random T5 with spiece.model alone, as mT5 is on the hub."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    folder = tmp_path / "mt5"
    torch.manual_seed(0)
    shape = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "initializer_factor": 2.0}
    config = T5Config(vocab_size=64, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, **shape)
    T5ForConditionalGeneration(config).save_pretrained(folder)
    pieces(folder / "spiece.model", vocab_size=40, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    (folder / "tokenizer_config.json").write_text(json.dumps(T5))
    return folder


def test_a_model_with_sentencepiece_alone_goes_the_whole_way(
    t5: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_up: type
) -> None:
    pytest.importorskip("sacrebleu")
    monkeypatch.chdir(tmp_path)
    rows = [made_up("generation").split(name) for name in ("train", "dev", "test")]
    talks = [
        {"text": text, "label": label} for part in rows for text, label in zip(part.texts, part.labels, strict=True)
    ]
    Path("talks.jsonl").write_text("\n".join(map(json.dumps, talks)))
    config = {
        "data": {"source": "talks.jsonl", "clean": {"duplicates": "exact"}, "split": {"dev": 30, "test": 40}},
        "task": {"type": "generation", "max_new_tokens": 8},
        "model": {"source": str(t5), "max_tokens": 24},
        "training": {"epochs": 6, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []},
        "evaluation": {"resamples": 100},
        "release": {"forms": []},
    }
    finished = tl.tune(tl.open_project(config), quiet=True)
    release = tl.release(finished, quiet=True)
    shutil.rmtree(t5)
    shutil.rmtree(tmp_path / "cache")
    assert (release.path / "tokenizer.json").is_file()
    assert not any(path.is_symlink() for path in release.path.rglob("*"))
    assert [each.label for each in release.predict(["a good b good", "c bad bad"])] == ["good a", "bad b"]


def test_texts_become_the_tokens_that_sentencepiece_makes(t5: Path) -> None:
    from sentencepiece import SentencePieceProcessor

    before = sorted(t5.iterdir())
    made = resolve(str(t5))
    own = SentencePieceProcessor(model_file=str(t5 / "spiece.model"))
    for text in ("good a bad", "  12  好 unknown?", "ａ b\nc"):
        assert Tokenizer(made, 64).encode([text]).ids.tolist() == [*own.encode(text), 1]
    assert Tokenizer(made, 64).pad_id == 0
    assert resolve(str(t5)) == made and sorted(t5.iterdir()) == before  # made once, and not in the folder
    pieces(t5 / "spiece.model", vocab_size=40, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, user_defined_symbols=["q"])
    assert resolve(str(t5)) != made


def test_a_llama_with_sentencepiece_and_a_qwen_with_merges_read_as_theirs_do(byte_model: Path, tmp_path: Path) -> None:
    from sentencepiece import SentencePieceProcessor
    from tokenizers import Tokenizer as Inner

    llama, qwen = (Path(shutil.copytree(byte_model, tmp_path / name)) for name in ("llama", "qwen"))
    for folder in (llama, qwen):
        (folder / "tokenizer.json").unlink()
    like_llama = {"normalization_rule_name": "identity", "remove_extra_whitespaces": False, "byte_fallback": True}
    pieces(llama / "tokenizer.model", vocab_size=300, model_type="bpe", unk_id=0, bos_id=1, eos_id=2, **like_llama)
    marks = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (llama / "tokenizer_config.json").write_text(json.dumps(marks | {"add_bos_token": True}))
    own = SentencePieceProcessor(model_file=str(llama / "tokenizer.model"))
    assert Tokenizer(resolve(str(llama)), 64).encode(["good  a 🧪 12"]).ids.tolist() == [
        1,
        *own.encode("good  a 🧪 12"),
    ]

    inner = Inner.from_file(str(byte_model / "tokenizer.json"))
    inner.model.save(str(qwen))  # vocab.json, merges.txt
    ends = {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|end|>", "pad_token": "<pad>", "unk_token": None}
    (qwen / "tokenizer_config.json").write_text(json.dumps(ends))
    assert Tokenizer(resolve(str(qwen)), 64).encode(["yes, no 好"]).ids.tolist() == inner.encode("yes, no 好").ids

    (qwen / "merges.txt").unlink()
    with pytest.raises(ModelError, match="No tokenizer can be made"):
        resolve(str(qwen))
    (llama / "tokenizer_config.json").unlink()  # transformers then takes a class that puts nothing before a text
    with pytest.raises(ModelError, match=r"cuts texts otherwise than tokenizer\.model.*\n.*tokenizer_class"):
        resolve(str(llama))


def test_a_tokenizer_of_its_own_code_is_not_run(t5: Path) -> None:
    (t5 / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": ["own.Own", None]}}))
    (t5 / "own.py").write_text("raise SystemExit('run')")
    (t5 / "config.json").write_text(json.dumps({"model_type": "unheard-of"}))
    with pytest.raises(ModelError, match="No tokenizer can be made"):
        resolve(str(t5))


def test_what_is_missing_or_damaged_is_said(t5: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (t5 / "spiece.model").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="No tokenizer can be made of the files in"):
        resolve(str(t5))
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(MissingExtraError, match=r"tuneloop\[sentencepiece\]"):
        resolve(str(t5))
    (t5 / "spiece.model").rename(t5 / "vocab.txt")  # of which transformers would make a T5 that knows no words
    with pytest.raises(ModelError, match=r"spiece\.model is missing"):
        resolve(str(t5))


def test_an_encoder_of_documents_with_other_files_is_the_same_model_each_time(t5: Path, tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    from tuneloop.inference.embedder import copy_embedder, open_embedder

    folder = tmp_path / "bert"
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=8, **shape)).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "a"]))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    copy_embedder(resolve(str(folder)), tmp_path / "copy")
    one, other = open_embedder(resolve(str(folder))), open_embedder(tmp_path / "copy")
    assert one.identity == other.identity and one.known("good b") == 0.5
    assert np.array_equal(one(["good a", "bad"]), other(["good a", "bad"]))
