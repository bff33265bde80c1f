"""A table of word vectors of which only the used rows are trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification

from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.paths import Workspace
from tuneloop.data.tokens import Tokens
from tuneloop.models import used_words
from tuneloop.models.used_words import UsedWords, only_used_words
from tuneloop.training import loop
from tuneloop.training.run import Run, tune

TOKENS = Tokens.of_first_texts([[2, 7, 9, 3], [2, 7, 3]], truncated=[False, False], pad_id=0)
"""Uses five of the tiny model's 22 words, with the padding."""


def classifier(folder: Path) -> Any:
    return AutoModelForSequenceClassification.from_pretrained(folder)


def test_words_are_read_as_before_and_only_used_ones_have_a_gradient(tiny_model: Path) -> None:
    model = classifier(tiny_model)
    before = model.get_input_embeddings().weight.detach().clone()
    ids = torch.tensor([[2, 9, 5], [7, 21, 0]])
    with only_used_words(model, TOKENS):
        table = model.get_input_embeddings()
        assert isinstance(table, UsedWords) and torch.equal(table(ids), before[ids])
        table(ids).sum().backward()
        # 0, the padding, has none, though it is used; 5 and 21 are not
        assert table.weight.grad[:, 0].tolist() == [0, 1, 0, 1, 1]
        names = dict(model.named_parameters())
        assert names["bert.embeddings.word_embeddings.weight"] is table.weight and len(table.weight) == 5
        with torch.no_grad():
            table.weight += 1
    after = model.get_input_embeddings()
    assert type(after) is nn.Embedding and model.get_input_embeddings() is after
    moved = torch.zeros(22, 1)
    moved[[0, 2, 3, 7, 9]] = 1
    assert torch.equal(after.weight, before + moved)


def test_the_table_is_whole_again_after_an_error(tiny_model: Path) -> None:
    model = classifier(tiny_model)
    before, parameter = model.get_input_embeddings().weight.detach().clone(), model.get_input_embeddings().weight
    with pytest.raises(KeyboardInterrupt), only_used_words(model, TOKENS):
        raise KeyboardInterrupt
    assert model.get_input_embeddings().weight is parameter and torch.equal(parameter, before)


@pytest.mark.parametrize("why", ["frozen", "shared", "used for the most part", "not wanted"])
def test_a_table_that_cannot_be_taken_apart_stays(tiny_model: Path, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    model = classifier(tiny_model)
    if why == "shared":
        model = AutoModelForMaskedLM.from_pretrained(tiny_model)
        assert model.config.tie_word_embeddings
    model.get_input_embeddings().weight.requires_grad_(why != "frozen")
    if why == "used for the most part":
        monkeypatch.setattr(used_words, "WORTH", 4 / 22)
    with only_used_words(model, TOKENS, wanted=why != "not wanted"):
        assert type(model.get_input_embeddings()) is nn.Embedding


class Few:
    """Splits of which train holds a few of the words alone, and dev all of them."""

    hash, labels = "few", ("no", "yes")

    def __init__(self, whole: Any) -> None:
        self._whole = whole

    def split(self, name: str) -> Any:
        rows = self._whole.split(name)
        return replace(rows, texts=[f"a b {'good' if label == 'yes' else 'bad'}" for label in rows.labels]) \
            if name == "train" else rows  # fmt: skip


def settings(folder: Path, **training: Any) -> RunConfig:
    plain = {"epochs": 2, "batch_size": 8, "precision": "fp32", "report_to": [], "weight_decay": 0.0}
    return parse_config({
        "name": "mood", "data": {"source": "x.csv"}, "task": "classification", "training": plain | training,
        "method": "full", "model": {"source": str(folder), "max_tokens": 16},
    })  # fmt: skip


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.model_path / "model.safetensors")


def same(some: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> bool:
    return some.keys() == others.keys() and all(torch.equal(some[name], others[name]) for name in some)


@pytest.mark.parametrize("setting", [{}, {"fgm": 0.5, "r_drop": 1.0}, {"ema": 0.9, "optimizer": "sgd"}])
def test_a_run_ends_with_the_same_bits_as_with_the_whole_table(
    tiny_model: Path, made_up: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: dict[str, Any]
) -> None:
    runs, trained, made = [], [], loop.create_optimizer

    def watched(groups: Any, config: Any) -> Any:
        trained.append(sum(each.numel() for group in groups for each in group.parameters))
        return made(groups, config)

    monkeypatch.setattr(loop, "create_optimizer", watched)
    for worth in (used_words.WORTH, 0.0):
        monkeypatch.setattr(used_words, "WORTH", worth)
        place, data = Workspace(tmp_path / str(worth)), Few(made_up("classification"))
        runs.append(weights(tune(settings(tiny_model, **setting), snapshot=data, workspace=place, quiet=True)))
    assert trained[1] - trained[0] == (22 - 7) * 32  # rows x hidden
    assert same(*runs)
    first = classifier(tiny_model).get_input_embeddings().weight
    words = runs[0]["bert.embeddings.word_embeddings.weight"]
    assert 0 < int((words != first).any(dim=1).sum()) < 10


def test_a_stopped_run_of_few_words_goes_on_to_the_same_bits(
    tiny_model: Path, made_up: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, data = settings(tiny_model, checkpoint_every_steps=3), Few(made_up("classification"))
    undisturbed = tune(config, snapshot=data, workspace=Workspace(tmp_path / "undisturbed"), quiet=True)

    def stop(step: int, **_: Any) -> float:
        if step == 8:
            raise KeyboardInterrupt
        return given(step, **_)

    given, place = loop.rate_factor, Workspace(tmp_path / "stopped")
    with monkeypatch.context() as patch:
        patch.setattr(loop, "rate_factor", stop)
        with pytest.raises(KeyboardInterrupt):
            tune(config, snapshot=data, workspace=place, quiet=True)
    assert same(
        weights(undisturbed), weights(tune(config, snapshot=data, workspace=place, resume="latest", quiet=True))
    )
