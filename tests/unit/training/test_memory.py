"""Memory of a step: counted before, and what follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tuneloop.core.config import TrainingConfig, parse_config
from tuneloop.data.tokens import Tokens
from tuneloop.models import device
from tuneloop.training import memory, recompute
from tuneloop.training.prepare import Prepared, prepare


@pytest.fixture
def ready(made_up: Any, tiny_model: Path) -> Prepared:
    plain = {"data": {"source": "x.csv"}, "model": {"source": str(tiny_model), "max_tokens": 16}, "method": "full"}
    return prepare(parse_config(plain), made_up("classification"))


class Squared(torch.nn.Module):
    """Keeps one number of four bytes for each token and width, twice: its input, and the input's exponential."""

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(50, 16)
        self.device = torch.device("cpu")
        self.config = type("Config", (), {"type_vocab_size": 0})()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.words(input_ids)
        return (found.exp() ** 2).sum()


def texts(*lengths: int) -> Tokens:
    offsets = np.cumsum([0, *lengths])
    return Tokens(np.ones(offsets[-1], np.int32), offsets, None, np.zeros(len(lengths), bool))


def test_what_layers_keep_grows_with_the_tokens_of_a_pass_as_it_does() -> None:
    config = TrainingConfig(max_batch_tokens=1000, batch_size=10)
    found = memory.kept_bytes(Squared(), texts(5, 20, 40, 40), config)
    # ten of the longest fit into a pass: numbers of each token for the exponential (which is the square's input, too),
    # and the words' numbers, which are eight bytes a token
    assert found == pytest.approx(10 * 40 * (16 * 4 + 8))
    half = memory.kept_bytes(Squared(), texts(5, 20, 40, 40), TrainingConfig(max_batch_tokens=200, batch_size=10))
    assert half == pytest.approx(found / 2)


def test_an_optimiser_in_eight_bits_and_no_average_take_less(ready: Prepared) -> None:
    def need(**settings: Any) -> int:
        return memory.step_bytes(ready.model, ready.train.tokens, TrainingConfig(**settings))

    weights = sum(each.numel() for each in ready.model.parameters())
    assert need() - need(ema=0) == 4 * weights
    assert need() - need(optimizer="adamw_8bit") == 6 * weights
    assert need() - need(optimizer="sgd") == 4 * weights


def test_counting_touches_neither_model_nor_random_numbers(ready: Prepared) -> None:
    before, ready.model.training = torch.get_rng_state(), False
    memory.step_bytes(ready.model, ready.train.tokens, TrainingConfig())
    assert torch.equal(torch.get_rng_state(), before)
    assert not ready.model.training
    assert all(weight.grad is None for weight in ready.model.parameters())


def test_the_generous_guess_is_above_what_is_counted(ready: Prepared) -> None:
    config = TrainingConfig()
    assert memory.generous_bytes(ready.model, config) > memory.step_bytes(ready.model, ready.train.tokens, config)


@pytest.mark.parametrize(("free", "again"), [(10**5, True), (10**13, False)])
def test_layers_are_computed_again_where_keeping_them_does_not_fit(
    ready: Prepared, free: int, again: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(recompute, "free_memory_bytes", lambda _: free)
    assert recompute.wanted(TrainingConfig(), ready.model, ready.train.tokens) is again
    assert ("computed again" in capsys.readouterr().err) is again
    for chosen in (True, False):
        config = TrainingConfig(gradient_checkpointing=chosen)
        assert recompute.wanted(config, ready.model, ready.train.tokens) is chosen


def test_a_container_leaves_what_is_below_its_limit(tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text("300\n")
    (tmp_path / "memory.max").write_text("1000\n")
    assert device._left_in_container(tmp_path) == 700
    (tmp_path / "memory.max").write_text("max\n")
    assert device._left_in_container(tmp_path) > 1 << 60
    assert device._left_in_container(tmp_path / "nowhere") > 1 << 60
    assert 0 < device.free_memory_bytes("cpu") <= device.memory_bytes("cpu")
