"""What a pretrained folder becomes when a task puts a new head on it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel

from tuneloop.core.config import TaskConfig
from tuneloop.models.load import load_classifier
from tuneloop.tasks import create_task

SHAPE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.mark.parametrize("trained", [False, True])
def test_only_a_pooler_that_was_never_trained_becomes_the_identity(tmp_path: Path, trained: bool) -> None:
    encoder = BertModel(BertConfig(vocab_size=30, **SHAPE))
    if trained:
        torch.nn.init.normal_(encoder.pooler.dense.bias)
    before = encoder.pooler.dense.weight.detach().clone()
    encoder.save_pretrained(tmp_path)
    after = loaded(tmp_path).bert.pooler.dense.weight
    assert torch.equal(after, before if trained else torch.eye(16))


def test_a_pooler_under_a_head_that_is_kept_stays_as_it_is(tmp_path: Path) -> None:
    whole = BertForSequenceClassification(BertConfig(vocab_size=30, num_labels=2, **SHAPE))
    whole.save_pretrained(tmp_path)
    assert torch.equal(loaded(tmp_path).bert.pooler.dense.weight, whole.bert.pooler.dense.weight)


def loaded(folder: Path) -> BertForSequenceClassification:
    return load_classifier(folder, create_task(TaskConfig(type="classification"), {"labels": ["a", "b"]}))
