"""Inputs with another text, and what a model answers to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuneloop.data.examples import Input, Label

if TYPE_CHECKING:
    from tuneloop.tasks.base import ModelHandle, Prediction


def text_of(item: Input) -> str:
    """The text of an input, without its pair."""
    return item if isinstance(item, str) else item[0]


def with_text(item: Input, text: str) -> Input:
    """The input with another text; its pair stays."""
    return text if isinstance(item, str) else (text, item[1])


def right(predictions: Sequence[Prediction], labels: Sequence[Label]) -> list[bool]:
    """Whether each final answer, rules included, is the label."""
    return [found.label == label for found, label in zip(predictions, labels, strict=True)]


def answered(model: ModelHandle, items: Sequence[Input]) -> dict[Input, Prediction]:
    """The prediction of every input, each asked for once."""
    once = list(dict.fromkeys(items))
    return dict(zip(once, model.predict(once), strict=True))
