"""An optimiser whose state is kept in 8 bits."""

from __future__ import annotations

import importlib.util
import sys

import pytest
import torch

from tuneloop.core.config import TrainingConfig
from tuneloop.core.errors import MissingExtraError
from tuneloop.methods.base import ParameterGroup
from tuneloop.training.optim import create_optimizer, load_state, state_tensors

needs_bits = pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="extra: quantized")
CONFIG = TrainingConfig(optimizer="adamw_8bit", learning_rate=1e-2)


def stepped(weight: torch.nn.Parameter, optimizer: torch.optim.Optimizer, *seeds: int) -> torch.Tensor:
    for seed in seeds:
        weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed))
        optimizer.step()
    return weight.detach().clone()


def made() -> tuple[torch.nn.Parameter, torch.optim.Optimizer]:
    weight = torch.nn.Parameter(torch.ones(256, 64))
    return weight, create_optimizer([ParameterGroup([weight], scale=1.0, decay=True)], CONFIG)


@needs_bits
def test_its_state_takes_a_quarter_and_goes_on_from_what_was_kept_with_the_same_bits() -> None:
    weight, optimizer = made()
    whole = stepped(weight, optimizer, 1, 2, 3, 4)
    assert {optimizer.state[weight][name].dtype for name in ("state1", "state2")} == {torch.uint8}

    weight, optimizer = made()
    middle = stepped(weight, optimizer, 1, 2)
    kept = {name: value.clone() for name, value in state_tensors(optimizer).items()}
    weight, optimizer = made()
    weight.data.copy_(middle)
    load_state(optimizer, kept)
    assert torch.equal(stepped(weight, optimizer, 3, 4), whole)


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    with pytest.raises(MissingExtraError, match=r"tuneloop\[quantized\]"):
        made()
