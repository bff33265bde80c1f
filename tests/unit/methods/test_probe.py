"""The linear probe solves what scikit-learn solves, in the model's own units, and reads each text once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import ModelError
from tuneloop.data.tokens import Tokens
from tuneloop.methods.probe import LinearProbe, ProbeOptions
from tuneloop.methods.split import Split
from tuneloop.models import features
from tuneloop.models.forward import head_inputs, predict_logits
from tuneloop.models.load import head_of
from tuneloop.tasks import create_task

ROWS = 80
LABELS = ["a", "b", "c"]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # threads only get in each other's way in models this small


def bert() -> Any:
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    return BertForSequenceClassification(BertConfig(vocab_size=30, num_labels=3, initializer_range=0.5, **shape))


def gpt() -> Any:
    from transformers import GPT2Config, GPT2ForSequenceClassification

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=30, n_embd=16, n_layer=1, n_head=2, num_labels=3, pad_token_id=0)
    return GPT2ForSequenceClassification(config)


def made_tokens(seed: int = 0) -> Tokens:
    random = np.random.default_rng(seed)
    lengths = random.integers(3, 9, ROWS)
    ids = random.integers(3, 30, int(lengths.sum())).astype(np.int32)
    return Tokens(ids, np.concatenate([[0], np.cumsum(lengths)]), None, np.zeros(ROWS, bool))


def split(seed: int) -> Split:
    tokens = made_tokens(seed)
    return Split(tokens, [LABELS[number] for number in tokens.ids[tokens.offsets[:-1]] % 3])


def solved(model: Any, cache: Path, **options: object) -> LinearProbe:
    task = create_task(TaskConfig(type="classification", **options), {"labels": LABELS})
    task.learn(split(1).labels)
    method = LinearProbe(ProbeOptions(penalties=(0.05,)))
    method.prepare(model)
    return method.solve(model, task, train=split(1), dev=split(2), precision="fp32", cache=cache)


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_it_is_the_logistic_regression_of_scikit_learn(tmp_path: Path, weights: str) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    model, train, dev = bert(), split(1), split(2)
    inputs, dev_inputs = head_inputs(model, train.tokens, "fp32"), head_inputs(model, dev.tokens, "fp32")
    solved(model, tmp_path, class_weights=weights)
    scaler = StandardScaler().fit(inputs)
    theirs = LogisticRegression(
        C=1 / (0.05 * ROWS), max_iter=5000, tol=1e-8, class_weight=None if weights == "none" else weights
    ).fit(scaler.transform(inputs), train.labels)
    logits = predict_logits(model, dev.tokens, "fp32")
    ours = torch.from_numpy(logits).softmax(dim=1).numpy()
    assert ours == pytest.approx(theirs.predict_proba(scaler.transform(dev_inputs)), abs=2e-3)


@pytest.mark.parametrize("make", [bert, gpt])
def test_the_features_are_what_the_last_layer_receives(make: Any) -> None:
    model, tokens = make(), made_tokens()
    head = head_of(model)
    bias = 0 if head.bias is None else head.bias.detach().numpy()
    logits = head_inputs(model, tokens, "fp32") @ head.weight.detach().numpy().T + bias
    assert logits == pytest.approx(predict_logits(model, tokens, "fp32"), abs=1e-4)


def test_a_layer_without_bias_is_solved_without_one(tmp_path: Path) -> None:
    model = gpt()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    solved(model, tmp_path)
    changed = [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])]
    assert changed == ["score.weight"]


def test_a_model_whose_answers_are_not_linear_is_refused() -> None:
    model = bert()
    model.classifier.register_forward_hook(lambda module, inputs, output: output * 3)
    with pytest.raises(ModelError, match="last linear layer"):
        head_inputs(model, made_tokens(), "fp32")


def test_a_second_run_reads_the_cache_and_a_damaged_one_is_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokens, calls = bert(), made_tokens(), []
    monkeypatch.setattr(features, "head_inputs", lambda *given: calls.append(1) or head_inputs(*given))
    first = features.cached_features(model, tokens, "fp32", cache=tmp_path)
    (path,) = (tmp_path / "features").iterdir()
    np.testing.assert_array_equal(features.cached_features(model, tokens, "fp32", cache=tmp_path), first)
    assert len(calls) == 1
    whole = path.read_bytes()
    for damaged in (whole[:100], b"", whole[:-4] + b"\0\0\0\1", bytes(len(whole))):
        path.write_bytes(damaged)
        np.testing.assert_array_equal(features.cached_features(model, tokens, "fp32", cache=tmp_path), first)
        assert path.read_bytes() == whole
    assert len(calls) == 5


def test_only_what_changes_the_features_changes_their_name_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names(model: Any, tokens: Tokens) -> set[str]:
        features.cached_features(model, tokens, "fp32", cache=tmp_path)
        return {path.name for path in (tmp_path / "features").iterdir()}

    model, tokens = bert(), made_tokens()
    first = names(model, tokens)
    with torch.no_grad():
        model.classifier.weight.add_(1)
    model.config.id2label = {0: "x", 1: "y", 2: "z"}
    assert names(model, tokens) == first
    with torch.no_grad():
        model.bert.pooler.dense.bias.add_(1)
    assert len(names(model, tokens)) == 2
    assert len(names(model, made_tokens(seed=9))) == 3
    for count, image in ((4, "a"), (5, "b"), (5, "a")):  # the same tokens beside another picture
        beside: Any = SimpleNamespace(rows=[{"image": image}], reader=SimpleNamespace(identity="32 pixels"))
        monkeypatch.setattr(features, "head_inputs", lambda _, tokens, precision: np.zeros((len(tokens), 2)))
        assert len(names(model, replace(tokens, beside=beside))) == count
