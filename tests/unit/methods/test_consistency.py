"""A copy is to have the answer of its text where the model is sure of that, more and more so; labels count as ever."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from tuneloop.core.config import MethodConfig, TaskConfig, TrainingConfig
from tuneloop.core.errors import ConfigError
from tuneloop.data.tokens import Tokens
from tuneloop.methods import create_method
from tuneloop.methods.split import Split
from tuneloop.models.forward import predict_logits, to_tensors
from tuneloop.tasks import create_task
from tuneloop.training.loop import backward

KNOWN, OTHERS = 12, 16
TASK = create_task(TaskConfig(type="classification"), {"labels": ["a", "b"]})


def tokens(rows: int, seed: int) -> Tokens:
    random = np.random.default_rng(seed)
    lengths = random.integers(3, 10, rows)
    ids = random.integers(4, 30, int(lengths.sum())).astype(np.int32)
    return Tokens(ids, np.concatenate([[0], np.cumsum(lengths)]), None, np.zeros(rows, bool))


class Beside:
    """Texts without labels; a copy, which is asked for second, has other tokens."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.asked: list[list[str]] = []

    def unlabelled(self, source: str) -> list[str]:
        return [f"the Good room, number {row}." for row in range(OTHERS)]

    def tokens(self, inputs: list[str]) -> Tokens:
        self.asked.append(inputs)
        return tokens(OTHERS, len(self.asked))


def begun(**options: object) -> tuple[Any, Any, Split, Beside]:
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    model = BertForSequenceClassification(BertConfig(vocab_size=30, num_labels=2, initializer_range=0.5, **shape))
    method = create_method(MethodConfig(type="consistency", texts="x", **options))
    beside = Beside()
    train = method.gather(Split(tokens(KNOWN, 9), ["a", "b"] * (KNOWN // 2)), TASK, beside)
    method.begin(model, TASK, train, total=20, per_epoch=10, precision="fp32")
    return method, model, train, beside


def losses(method: Any, model: Any, train: Split, rows: np.ndarray) -> torch.Tensor:
    targets = method.targets(torch.from_numpy(train.targets(TASK)), rows)
    return method.loss(model, TASK, to_tensors(model, train.tokens, rows), targets, rows)


def test_copies_are_drawn_from_the_seed() -> None:
    made = []
    for seed in (0, 0, 1):
        beside = Beside(seed)
        create_method(MethodConfig(type="consistency", texts="x")).gather(
            Split(tokens(4, 9), list("abab")), TASK, beside
        )
        made.append(beside.asked[1])
    assert made[0] == made[1] != made[2]


def test_a_copy_learns_the_sharpened_answer_to_its_text_and_rises_in_weight() -> None:
    method, model, train, beside = begun(threshold=0.0, sharpness=0.5, weight=2.0, ramp_up=0.5)
    texts, copies = beside.asked
    assert all(text != copy for text, copy in zip(texts, copies, strict=True))
    model.train(False)  # so that dropout does not blur what is compared
    rows = np.array([0, KNOWN + 3, 5, KNOWN + 7])
    answers = torch.from_numpy(predict_logits(model, tokens(OTHERS, 1), "fp32"))[[3, 7]]
    given = torch.from_numpy(predict_logits(model, train.tokens, "fp32"))[rows]
    wanted = -((answers / 0.5).softmax(1) * given[[1, 3]].log_softmax(1)).sum(1)
    own = TASK.loss(given[[0, 2]], torch.tensor([0, 1]))
    for step, rise in ((0, 0.1), (4, 0.5), (15, 1.0)):
        method.after_step(model, step - 1)
        found = losses(method, model, train, rows).detach()
        assert torch.allclose(found[[0, 2]], own, atol=1e-5)
        assert torch.allclose(found[[1, 3]], 2 * rise * wanted, atol=1e-4)


def test_where_the_model_is_not_sure_a_copy_teaches_nothing_and_modes_stay() -> None:
    method, model, train, _ = begun(threshold=0.999999)
    model.train()
    model.dropout.training = False
    found = losses(method, model, train, np.array([1, KNOWN, KNOWN + 1]))
    assert found[0] > 0 and found[1] == found[2] == 0
    assert model.training and not model.dropout.training
    assert method.facts(model) == {"unlabelled_texts": OTHERS, "sure_enough": 0.0}


def test_half_of_every_epoch_is_copies_and_each_of_your_texts_comes_up() -> None:
    method, _, train, _ = begun()
    rows = np.concatenate(method.batches(train, batch_size=4, seed=3, epoch=1))
    assert len(rows) == KNOWN + OTHERS
    assert (rows >= KNOWN).sum() == (KNOWN + OTHERS) // 2 and set(range(KNOWN)) <= set(rows.tolist())


def test_regularisers_go_with_it() -> None:
    method, model, train, _ = begun(threshold=0.0)
    model.train()
    config = TrainingConfig(r_drop=1.0, supcon=0.3)
    targets = torch.from_numpy(train.targets(TASK))
    value = backward(model, TASK, method, train.tokens, targets, np.arange(8, 20), config, "fp32")
    assert np.isfinite(value) and all(p.grad is not None for p in model.classifier.parameters())


@pytest.mark.parametrize(
    ("options", "why"), [({"frozen_layers": 1}, "frozen layers"), ({"perturbations": ["negation"]}, "right answer")]
)
def test_what_makes_no_sense_is_refused(options: dict[str, object], why: str) -> None:
    method = create_method(MethodConfig(type="consistency", texts="x", **options))
    with pytest.raises(ConfigError, match=why):
        method.check(TASK)
        method.gather(Split(tokens(KNOWN, 9), ["a", "b"] * (KNOWN // 2)), TASK, Beside())
