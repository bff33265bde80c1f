"""A model that writes answers from passages, as `ask` uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuneloop.core.errors import ConfigError
from tuneloop.data.conversation import Message, to_text
from tuneloop.releases.knowledge import open_writing


def test_a_pretrained_model_writes_and_knows_what_it_can_read(chat_model: Path) -> None:
    writer = open_writing(model=str(chat_model))
    short = to_text([Message("system", "a b"), Message("user", "c d")])
    assert isinstance(writer(short), str)
    assert writer.fits(short) and not writer.fits(to_text([Message("user", "a " * 5000)]))


def test_one_model_must_be_given() -> None:
    for given in ({}, {"release": "a", "model": "b"}):
        with pytest.raises(ConfigError, match="either a release or a model"):
            open_writing(**given)
