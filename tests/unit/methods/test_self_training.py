"""Only what the model is sure of becomes a label, no class too often, and nothing of dev or test."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, BertForSequenceClassification

from tuneloop.core.config import MethodConfig, RunConfig, TaskConfig, TrainingConfig, parse_config
from tuneloop.core.paths import Workspace
from tuneloop.data.tokens import Tokens
from tuneloop.methods import create_method
from tuneloop.methods.self_training import FEWEST, SelfTraining, class_thresholds, surest
from tuneloop.methods.split import Split
from tuneloop.models.forward import predict_logits
from tuneloop.tasks import create_task
from tuneloop.training.loop import backward
from tuneloop.training.plan import plan
from tuneloop.training.prepare import prepare
from tuneloop.training.run import tune

KNOWN, OTHERS = 20, 30
TASK = create_task(TaskConfig(type="classification"), {"labels": ["a", "b"]})


def tokens(rows: int, seed: int) -> Tokens:
    random = np.random.default_rng(seed)
    lengths = random.integers(3, 10, rows)
    ids = random.integers(4, 30, int(lengths.sum())).astype(np.int32)
    return Tokens(ids, np.concatenate([[0], np.cumsum(lengths)]), None, np.zeros(rows, bool))


class Beside:
    inputs = ("",) * KNOWN
    dev = Split(tokens(40, 5), [str(label) for label in np.random.default_rng(6).choice(["a", "b"], 40)])

    def unlabelled(self, source: str) -> list[str]:
        return [""] * OTHERS

    def tokens(self, inputs: list[str]) -> Tokens:
        return tokens(OTHERS, 2)


def begun(*, total: int = 21, labels: tuple[str, ...] = ("a", "b") * 10, **options: object) -> tuple[Any, Any, Split]:
    """A method before its first step of 3 epochs of 7, its model and its rows."""
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    model = BertForSequenceClassification(BertConfig(vocab_size=30, num_labels=2, initializer_range=0.5, **shape))
    method = create_method(MethodConfig(type="self_training", texts="x", **options))
    train = method.gather(Split(tokens(KNOWN, 1), list(labels)), TASK, Beside())
    method.begin(model, TASK, train, total=total, per_epoch=7, precision="fp32")
    return method, model, train


def after_epoch(method: SelfTraining, model: Any, number: int) -> None:
    method.after_step(model, 7 * number - 1)
    method.before_evaluation(model)


@given(st.integers(0, 10_000), st.floats(0.4, 0.95), st.integers(0, 60))
def test_a_label_is_sure_enough_and_no_class_has_more_than_its_share(seed: int, threshold: float, rows: int) -> None:
    scores = np.random.default_rng(seed).dirichlet([0.5, 0.5, 1.5], rows).astype(np.float32)
    shares = np.array([0.2, 0.3, 0.5])
    kept = surest(scores, threshold=threshold, shares=shares)
    reached = scores.max(axis=1) >= threshold
    assert reached[kept].all()
    left = np.setdiff1d(np.flatnonzero(reached), kept)
    for number, share in enumerate(shares):
        ours, others = (each[scores[each].argmax(axis=1) == number] for each in (kept, left))
        limit = int(np.ceil(share * reached.sum()))
        assert len(ours) <= limit
        if len(others):  # some had to go: the class is full, and of them none is surer
            assert len(ours) == limit
            assert scores[others].max() <= scores[ours].max(axis=1).min()


def test_texts_below_the_threshold_are_not_used() -> None:
    method, model, train = begun(threshold=0.7)
    after_epoch(method, model, 1)
    logits = predict_logits(model, train.tokens.select(np.arange(KNOWN, KNOWN + OTHERS)), "fp32")
    dev = predict_logits(model, Beside.dev.tokens, "fp32")
    from tuneloop.tasks.temperature import fit_temperature

    scores = TASK.scores(logits / fit_temperature(dev, Beside.dev.labels, TASK))
    sure = {KNOWN + int(row) for row in np.flatnonzero(scores.max(axis=1) >= 0.7)}
    assert set(method.chosen.tolist()) <= sure < set(range(KNOWN, KNOWN + OTHERS))
    seen = {int(row) for epoch in (1, 2) for rows in method.batches(train, batch_size=8, seed=0, epoch=epoch)
            for row in rows}  # fmt: skip
    assert seen <= set(range(KNOWN)) | sure


def test_a_model_that_is_surer_than_right_on_dev_labels_less() -> None:
    method, model, _ = begun(threshold=0.9)
    with torch.no_grad():
        model.classifier.weight.mul_(4)
    raw = TASK.scores(predict_logits(model, tokens(OTHERS, 2), "fp32")).max(axis=1) >= 0.9
    after_epoch(method, model, 1)
    assert raw.sum() > OTHERS / 2
    assert len(method.chosen) < 0.5 * raw.sum()


def test_the_first_epoch_is_yours_and_then_none_of_yours_is_seen_less_often() -> None:
    method, model, train = begun(threshold=0.501)
    first = np.concatenate(method.batches(train, batch_size=8, seed=0, epoch=0))
    assert set(first) == set(range(KNOWN))
    after_epoch(method, model, 1)
    assert len(method.chosen)
    for epoch in (1, 2):
        batches = method.batches(train, batch_size=8, seed=0, epoch=epoch)
        assert len(batches) == 7
        times = Counter(np.concatenate(batches).tolist())
        assert sum(times.values()) == KNOWN + OTHERS
        assert set(times) == set(range(KNOWN)) | set(method.chosen.tolist())
        assert min(times[row] for row in range(KNOWN)) >= max(times[row] for row in method.chosen) - 1
        assert sum(times[row] for row in range(KNOWN)) >= (KNOWN + OTHERS) // 2


def test_labels_change_in_the_given_rounds_alone_and_never_within_an_epoch() -> None:
    method, model, _ = begun(threshold=0.501, rounds=1)
    method.after_step(model, 3)
    method.before_evaluation(model)
    assert method.chosen is None
    assert method.facts(model)["pseudo_labels"] == []
    after_epoch(method, model, 1)
    first = method.chosen
    with torch.no_grad():
        model.classifier.weight.neg_()
    after_epoch(method, model, 2)
    assert method.chosen is first
    assert len(method.facts(model)["pseudo_labels"]) == 1
    assert sum(method.facts(model)["pseudo_labels"][0].values()) == len(first)


def test_the_last_step_of_a_run_gives_no_labels() -> None:
    method, model, _ = begun(total=14)
    after_epoch(method, model, 2)
    assert method.chosen is None


def test_the_model_learns_its_own_answers_with_the_given_weight() -> None:
    method, model, train = begun(threshold=0.501, weight=0.25)
    model.eval()
    after_epoch(method, model, 1)
    rows = np.concatenate([[3, 4], method.chosen])
    known = torch.from_numpy(train.targets(TASK))
    targets = method.targets(known, rows)
    logits = torch.from_numpy(predict_logits(model, train.tokens.select(rows), "fp32"))
    assert targets.tolist() == [1, 0, *logits[2:].argmax(dim=1).tolist()]
    batch = {name: torch.from_numpy(each) for name, each in train.tokens.batch(rows).items()}
    weights = torch.tensor([1.0, 1.0, *[0.25] * len(method.chosen)])
    expected = weights * torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    assert torch.allclose(method.loss(model, TASK, batch, targets, rows).detach(), expected, atol=1e-5)


def test_what_is_remembered_is_restored() -> None:
    method, model, train = begun(threshold=0.501)
    assert method.state() == {}
    after_epoch(method, model, 1)
    again, _, _ = begun(threshold=0.501)
    again.restore({name: value.clone() for name, value in method.state().items()})
    assert np.array_equal(again.chosen, method.chosen)
    assert again.facts(model) == method.facts(model)
    for epoch in (1, 2):
        pairs = zip(*(each.batches(train, batch_size=8, seed=0, epoch=epoch) for each in (method, again)), strict=True)
        assert all(np.array_equal(one, two) for one, two in pairs)


def test_supervised_contrast_sees_the_classes_that_were_given(monkeypatch: pytest.MonkeyPatch) -> None:
    from tuneloop.training.regularisers import supcon

    method, model, train = begun(threshold=0.501)
    after_epoch(method, model, 1)
    seen: list[torch.Tensor] = []
    inner = supcon.supcon
    monkeypatch.setattr(supcon, "supcon", lambda *each: seen.append(each[1]) or inner(*each))
    known, rows = torch.from_numpy(train.targets(TASK)), np.concatenate([[3, 4], method.chosen])
    backward(model, TASK, method, train.tokens, known, rows, TrainingConfig(supcon=0.2), "fp32")
    classes = method.targets(known, rows).numpy()
    assert seen[0].sum() == sum(np.sum(classes == each) ** 2 for each in (0, 1))


def config(source: Path, *, epochs: float = 6, **options: object) -> RunConfig:
    training = {"epochs": epochs, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []}
    plain = {"data": {"source": "x.csv"}, "method": {"type": "self_training"} | options, "training": training}
    return parse_config(plain | {"model": {"source": str(source), "max_tokens": 16}})


def test_a_run_says_which_labels_it_gave(tiny_model: Path, made_up: Any, options_of: Any, tmp_path: Path) -> None:
    data, options = made_up("classification"), options_of("self_training", "classification")
    settings = config(tiny_model, rounds=3, **options)
    run = tune(settings, snapshot=data, workspace=Workspace(tmp_path), quiet=True)
    told = json.loads((run.path / "run.json").read_text())
    seen = {text for name in ("train", "dev", "test") for text in data.split(name).texts}
    assert told["unlabelled_texts"] == len(set(data.split("unlabelled").texts) - seen)
    assert len(told["pseudo_labels"]) == 3
    assert told["pseudo_labels"][-1].keys() == {"no", "yes"}
    assert 0 < sum(told["pseudo_labels"][-1].values()) <= told["unlabelled_texts"]
    assert len(told["read_beside"]["texts"]) == 64
    assert plan(settings, snapshot=data).steps == told["steps"]
    short = tune(config(tiny_model, epochs=1, **options), snapshot=data, workspace=Workspace(tmp_path), quiet=True)
    assert short.info["pseudo_labels"] == []


def test_texts_of_dev_and_test_are_left_out(tiny_model: Path, made_up: Any, tmp_path: Path) -> None:
    data = made_up("classification")
    held_out = [text for name in ("train", "dev", "test") for text in data.split(name).texts]
    new = ["a good b good c", "bad p bad"]
    lines = [json.dumps({"text": text}) for text in [*held_out, *new, f"  {held_out[100].upper()} ", new[1]]]
    (tmp_path / "more.jsonl").write_text("\n".join(lines))
    ready = prepare(config(tiny_model, texts="more.jsonl"), data, base=tmp_path)
    assert len(ready.train.labels) == 90
    assert len(ready.train.tokens) == 92


def test_each_class_has_the_lowest_threshold_at_which_dev_shows_the_precision() -> None:
    # class 0 is right in 18 of its 20 surest answers and in half of the others; class 1 in no more than half
    sure = np.linspace(0.99, 0.6, 40)
    zero = np.r_[np.ones(9, int), 0, np.ones(9, int), 0, np.tile([1, 0], 10)]
    truth = np.r_[1 - zero, np.tile([1, 0], 20)]
    scores = np.r_[np.stack([sure, 1 - sure], axis=1), np.stack([1 - sure, sure], axis=1)].astype(np.float32)
    found = class_thresholds(scores, truth, precision=0.85)
    answered, sureness = scores.argmax(axis=1), scores.max(axis=1)
    taken = (answered == 0) & (sureness >= found[0])
    assert taken.sum() >= FEWEST and (truth[taken] == 0).mean() >= 0.85
    lower = (answered == 0) & (sureness >= found[0] - 0.02)
    assert (truth[lower] == 0).mean() < 0.85
    assert found[1] == 2.0
    kept = surest(scores, threshold=found, shares=np.array([1.0, 1.0]))
    assert set(kept) == set(np.flatnonzero(taken))


def test_thresholds_of_classes_are_told_and_survive_a_checkpoint() -> None:
    method, model, _ = begun(precision=0.3)
    after_epoch(method, model, 1)
    (told,) = method.facts(model)["thresholds"]
    assert set(told) == {"a", "b"}
    again, _, _ = begun(precision=0.3)
    again.restore(method.state())
    assert again.facts(model)["thresholds"] == [told]
