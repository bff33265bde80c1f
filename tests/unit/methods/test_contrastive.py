"""Batches of contrastive learning, and its losses."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch

from tuneloop.core.config import MethodConfig, parse_config
from tuneloop.data.tokens import Tokens
from tuneloop.methods import contrastive, create_method
from tuneloop.methods.contrastive import supcon
from tuneloop.methods.split import Split
from tuneloop.models.forward import judges_every_token, to_tensors
from tuneloop.training.prepare import prepare


def split_of(labels: list[str]) -> Split:
    empty = np.zeros(len(labels) + 1, np.int64)
    return Split(Tokens(np.zeros(0, np.int32), empty, None, np.zeros(len(labels), bool)), list(labels))


def batches(labels: list[str]) -> list[np.ndarray]:
    method = create_method(MethodConfig(type="contrastive"))
    return method.batches(split_of(labels), batch_size=32, seed=0, epoch=0)


@pytest.mark.parametrize("classes", [2, 3, 16, 17, 31, 32, 150])
def test_every_text_has_a_partner_in_its_batch_however_many_classes_there_are(classes: int) -> None:
    labels = [f"c{number % classes}" for number in range(classes * 8)]
    for batch in batches(labels):
        _, counts = np.unique([labels[row] for row in batch], return_counts=True)
        assert counts.min() >= 2
        assert len(counts) > 1


def test_a_hundred_thousand_texts_of_150_uneven_classes_take_little_memory_and_every_class_its_turn() -> None:
    labels = [f"c{number % 150 if number < 50_000 else 0}" for number in range(100_000)]
    split = split_of(labels)
    method = create_method(MethodConfig(type="contrastive"))
    tracemalloc.start()
    found = method.batches(split, batch_size=32, seed=0, epoch=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 100_000 / 32 and {len(batch) for batch in found} == {32}
    assert peak < 64e6  # every pair of texts would be 10 billion
    counts = np.unique([labels[row] for batch in found for row in batch], return_counts=True)[1]
    assert len(counts) == 150 and counts.max() - counts.min() <= 2


def test_batches_differ_by_epoch_and_repeat_themselves() -> None:
    labels = [f"c{number % 40}" for number in range(400)]
    method, split = create_method(MethodConfig(type="contrastive")), split_of(labels)
    first, again, second = (method.batches(split, batch_size=32, seed=0, epoch=epoch) for epoch in (0, 0, 1))
    assert all(map(np.array_equal, first, again))
    assert not all(map(np.array_equal, first, second))


def test_supcon_is_the_formula_of_the_paper() -> None:
    random = torch.Generator().manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(6, 4, generator=random), dim=1)
    classes = torch.tensor([0, 0, 1, 1, 1, 2])
    found = supcon(vectors @ vectors.T, classes[:, None] == classes, 0.1)
    for i in range(6):
        others = [a for a in range(6) if a != i]
        partners = [p for p in others if classes[p] == classes[i]]
        total = sum(torch.exp(vectors[i] @ vectors[a] / 0.1) for a in others)
        terms = [-torch.log(torch.exp(vectors[i] @ vectors[p] / 0.1) / total) for p in partners]
        assert float(found[i]) == pytest.approx(float(sum(terms)) / max(1, len(terms)), abs=1e-4)


@pytest.fixture
def ready(tiny_model: Any, made_up: Any) -> Any:
    settings = parse_config(
        {
            "data": {"source": "x.csv"},
            "method": "contrastive",
            "model": {"source": str(tiny_model), "max_tokens": 16},
            "training": {"precision": "fp32", "report_to": []},
        }
    )
    return prepare(settings, made_up("classification"))


@pytest.mark.parametrize(("labels", "size"), [(["x", "y"] * 6, 1), (["x", "y"] * 6, 3), (["x", "y"], 32), (["x"], 1)])
def test_a_small_batch_has_two_texts_of_each_of_two_classes(labels: list[str], size: int) -> None:
    method = create_method(MethodConfig(type="contrastive"))
    for batch in method.batches(split_of(labels), batch_size=size, seed=0, epoch=0):
        chosen = [labels[row] for row in batch]
        assert {name: chosen.count(name) for name in set(labels)} == dict.fromkeys(labels, 2)


def test_a_model_whose_head_reads_the_mean_is_compared_by_it() -> None:
    from types import SimpleNamespace

    states = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0))
    body = SimpleNamespace(base_model=lambda **_: SimpleNamespace(last_hidden_state=states))
    method = create_method(MethodConfig(type="contrastive"))
    method._reads_mean = True
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    cosine = torch.nn.functional.cosine_similarity(states[0, :3].mean(dim=0), states[1].mean(dim=0), dim=0)
    found = method.loss(body, None, {"attention_mask": mask}, torch.tensor([0, 1]), np.arange(2))
    assert found.tolist() == pytest.approx([float(cosine) ** 2] * 2, rel=1e-4)


@pytest.mark.parametrize("loss", ["cosine", "supcon"])
def test_a_batch_in_parts_has_the_loss_of_the_whole_over_all_its_pairs(
    ready: Any, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.arange(12)
    targets = torch.from_numpy(ready.train.targets(ready.task))
    found = []
    for tokens in (20, 10_000):
        monkeypatch.setattr(contrastive, "PART_TOKENS", tokens)
        method = create_method(MethodConfig(type="contrastive", loss=loss))
        method.begin(ready.model.eval(), ready.task, ready.train, total=3, per_epoch=1, precision="fp32")
        batch, passes = to_tensors(ready.model, ready.train.tokens, rows), []
        hook = ready.model.base_model.register_forward_hook(lambda *_, passes=passes: passes.append(1))
        value = method.loss(ready.model, ready.task, batch, targets[rows], rows).sum()
        found.append((float(value.detach()), len(passes)))
        hook.remove()
    (parts, several), (whole, once) = found
    assert several > once == 1
    assert parts == pytest.approx(whole, rel=1e-4)


def test_the_cosine_loss_is_over_every_pair_of_the_batch(ready: Any) -> None:
    rows = np.arange(8)
    method = create_method(MethodConfig(type="contrastive"))
    method.begin(ready.model.eval(), ready.task, ready.train, total=3, per_epoch=1, precision="fp32")
    batch = to_tensors(ready.model, ready.train.tokens, rows)
    targets = torch.from_numpy(ready.train.targets(ready.task))[rows]
    states = torch.nn.functional.normalize(ready.model.base_model(**batch).last_hidden_state[:, 0], dim=1)
    pairs = [
        ((states[i] @ states[j]) - float(targets[i] == targets[j])) ** 2 for i in range(8) for j in range(8) if i != j
    ]
    found = method.loss(ready.model, ready.task, batch, targets, rows).mean()
    assert float(found.detach()) == pytest.approx(float(sum(pairs).detach()) / len(pairs), rel=1e-4)


def test_a_decoder_is_read_at_its_last_token() -> None:
    from transformers import BertConfig, BertForSequenceClassification, GPT2Config, GPT2ForSequenceClassification

    small = {"vocab_size": 40, "pad_token_id": 0}
    bert = BertForSequenceClassification(
        BertConfig(**small, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    )
    gpt = GPT2ForSequenceClassification(GPT2Config(**small, n_embd=16, n_layer=1, n_head=2, n_positions=16))
    assert not judges_every_token(bert)
    assert judges_every_token(gpt)
    method = create_method(MethodConfig(type="contrastive"))
    method._reads_last = True
    batch = {"input_ids": torch.tensor([[5, 6, 7, 0], [5, 8, 9, 10]])}
    batch["attention_mask"] = (batch["input_ids"] > 0).long()
    gpt.eval()
    states = gpt.base_model(**batch).last_hidden_state[[0, 1], [2, 3]]
    cosine = float(torch.nn.functional.cosine_similarity(states[0], states[1], dim=0))
    found = method.loss(gpt, None, batch, torch.tensor([0, 1]), np.arange(2))
    assert found.tolist() == pytest.approx([cosine**2] * 2, rel=1e-4)
