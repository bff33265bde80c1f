"""What tasks share whose answers are stretches of a text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from tuneloop.core.i18n import t
from tuneloop.data.clean import moved
from tuneloop.data.examples import Input, Label, Span
from tuneloop.tasks.base import Prediction, TaskOptions
from tuneloop.tasks.parted import PartedTask

if TYPE_CHECKING:
    from pathlib import Path

    from tuneloop.core.preparation import CleanConfig
    from tuneloop.models.tokenizer import Tokenizer
    from tuneloop.tasks.base import FloatArray

    Found = tuple[tuple[Span, float], ...]
    """The stretches that were found in one text, each with its probability."""


class SpanOptions(TaskOptions):
    """Options of tasks that read in windows."""

    stride: int = Field(32, ge=0, description="Tokens that neighbouring windows of a long text share.")


class SpanTask(PartedTask):
    """A task whose scores are an array (n,) of objects: what was found in each text, with probabilities.

    A text that is longer than the model reads is read in windows; no part of it is lost.
    """

    Options: ClassVar[type[TaskOptions]] = SpanOptions
    options: SpanOptions
    layout = "windows"
    has_probabilities = False

    @classmethod
    def moved(cls, label: Label, before: Input, after: Input, config: CleanConfig) -> Label:
        texts = [each if isinstance(each, str) else each[cls.spans_in == "pair"] for each in (before, after)]
        return tuple(moved(span, *texts, config) for span in label)  # type: ignore[union-attr, arg-type]

    def tokenizer(self, folder: Path, max_tokens: int, template: str = "") -> Tokenizer:
        from tuneloop.models.layouts import WindowTokenizer

        return WindowTokenizer(folder, max_tokens, stride=self.options.stride)

    def decide(self, scores: FloatArray) -> list[Label]:
        return [tuple(span for span, _ in found) for found in scores]

    def predictions(self, scores: FloatArray, truncated: Sequence[bool] | None = None) -> list[Prediction]:
        cut = truncated if truncated is not None else [False] * len(scores)
        return [
            Prediction(tuple(span for span, _ in found), {}, bool(was_cut), tuple(sure for _, sure in found))
            for found, was_cut in zip(scores, cut, strict=True)
        ]

    def scores_of(self, answers: Sequence[Mapping[str, Any]], near: FloatArray) -> FloatArray:
        return as_scores(
            tuple((Span(part["start"], part["end"], part["label"]), part["probability"]) for part in each["label"])
            for each in answers
        )

    def changes(self, scores: FloatArray, others: FloatArray) -> Any:
        return object_changes(scores, others)

    def sureness(self, labels: Sequence[Label], scores: FloatArray) -> Any:
        wrong = [
            max((sure for span, sure in found if span not in label), default=0.0)  # type: ignore[operator]
            for label, found in zip(labels, scores, strict=True)
        ]
        return np.array(wrong)


def object_changes(scores: FloatArray, others: FloatArray) -> Any:
    """The largest change of a probability in each row; what the other side lacks has changed by all of it, (n,)."""
    pairs = [(dict(one), dict(other)) for one, other in zip(scores, others, strict=True)]
    return np.array([max((abs(a.get(key, 0.0) - b.get(key, 0.0)) for key in {*a, *b}), default=0.0) for a, b in pairs])


def as_scores(found: Iterable[Any]) -> FloatArray:
    """An array (n,) of objects."""
    listed = list(found)
    scores = np.empty(len(listed), dtype=object)
    for row, each in enumerate(listed):  # one by one: numpy would take tuples of one length for a matrix
        scores[row] = each
    return scores


def parse_spans(raw: Any, text: str) -> list[Span]:
    """Stretches from a list of {"start", "end", "label"} or [start, end, label], in order.

    Raises:
        ValueError: if one is none, lies outside the text, or overlaps another.
    """
    spans = sorted(_span(each, text) for each in raw)
    for one, other in pairwise(spans):
        if other.start < one.end:
            raise ValueError(t("the stretches {one} and {other} overlap", one=_written(one), other=_written(other)))
    return spans


def _span(raw: Any, text: str) -> Span:
    try:
        fields = [raw[name] for name in ("start", "end", "label")] if isinstance(raw, dict) else list(raw)
        start, end, label = fields
        span = Span(int(start), int(end), str(label).strip())
    except (KeyError, TypeError, ValueError):
        raise ValueError(t("{value} is not a stretch of the text", value=str(raw)[:60])) from None
    if not 0 <= span.start < span.end <= len(text) or not span.label:
        raise ValueError(
            t("{value} does not lie in the text of {size} characters", value=_written(span), size=len(text))
        )
    inside = text[span.start : span.end]
    if not inside.strip():
        raise ValueError(t("{value} holds nothing but blanks", value=_written(span)))
    blanks = len(inside) - len(inside.lstrip()), len(inside) - len(inside.rstrip())
    return span._replace(start=span.start + blanks[0], end=span.end - blanks[1])


def _written(span: Span) -> str:
    return f"{span.start}-{span.end} {span.label}"
