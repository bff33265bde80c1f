"""What tests of several methods share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch


@pytest.fixture
def gpt(tiny_model: Path, tmp_path: Path) -> Path:
    """A GPT-2 with the same tokenizer, which has no mask token for it."""
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = tmp_path / "gpt"
    torch.manual_seed(0)
    shape = {"n_positions": 40, "n_embd": 32, "n_layer": 1, "n_head": 2}
    GPT2LMHeadModel(GPT2Config(vocab_size=22, pad_token_id=0, initializer_range=0.3, **shape)).save_pretrained(folder)
    shutil.copy(tiny_model / "tokenizer.json", folder / "tokenizer.json")
    return folder
