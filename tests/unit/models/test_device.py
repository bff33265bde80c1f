"""Weights in a precision, as transformers keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from tuneloop.models.device import cast, choose_device


def test_on_a_gpu_attention_is_not_left_to_cudnn(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = torch.backends.cuda.cudnn_sdp_enabled()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    try:
        assert choose_device() == "cuda"
        assert not torch.backends.cuda.cudnn_sdp_enabled()
    finally:
        torch.backends.cuda.enable_cudnn_sdp(allowed)


def test_weights_are_cast_as_transformers_casts_them(chat_model: Path) -> None:
    ours = AutoModelForCausalLM.from_pretrained(chat_model, dtype=torch.float32).eval()
    cast(ours, torch.bfloat16)
    theirs = AutoModelForCausalLM.from_pretrained(chat_model, dtype=torch.bfloat16).eval()
    kinds = {name: each.dtype for name, each in [*theirs.named_parameters(), *theirs.named_buffers()]}
    assert {name: each.dtype for name, each in [*ours.named_parameters(), *ours.named_buffers()]} == kinds
    assert set(kinds.values()) == {torch.bfloat16, torch.float32}  # of what a place is turned by
    ids = torch.tensor([[2, 5, 9, 8, 10]])
    with torch.inference_mode():
        assert torch.equal(ours(input_ids=ids).logits, theirs(input_ids=ids).logits)
