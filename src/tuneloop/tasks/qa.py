"""The answer to a question, as a stretch of a text: SQuAD, CMRC, manuals, contracts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from tuneloop.core.i18n import t
from tuneloop.data.cells import from_json
from tuneloop.data.examples import Input, Label, Span
from tuneloop.tasks.answer_words import same_words, shared_f1
from tuneloop.tasks.base import TaskOptions
from tuneloop.tasks.parted import windows
from tuneloop.tasks.spans import SpanOptions, SpanTask, as_scores

if TYPE_CHECKING:
    from torch import Tensor

    from tuneloop.data.tokens import Tokens
    from tuneloop.tasks.base import FloatArray
    from tuneloop.tasks.spans import Found

    IntArray = np.ndarray[Any, np.dtype[np.int64]]

CANDIDATES = 20
"""Beginnings and ends of a window that are tried with each other."""

NO_ANSWER = 0
"""The token that is the answer where a window holds none: the first."""


class QAOptions(SpanOptions):
    """Options of extractive question answering."""

    stride: int = Field(64, ge=0, description="Tokens that neighbouring windows of a long text share.")
    max_answer_tokens: int = Field(30, ge=1, description="Tokens of an answer at most.")
    null_threshold: float = Field(
        0.0, description="How much likelier no answer must be than the best one (logits) for there to be none."
    )


class ExtractiveQA(SpanTask):
    """Beginning and end of the answer, each by softmax over the tokens of a window.

    Devlin et al., "BERT" (2019), sections 4.2 and 4.3; the figures are those of Rajpurkar et al., "SQuAD" (2016),
    with every Chinese character as a word. The label of a row are all answers that count as right; it is learnt from
    the first. Where training has questions without an answer, there may be none.
    """

    name = "qa"
    Options = QAOptions
    options: QAOptions
    problem_type = "question_answering"
    architecture = "AutoModelForQuestionAnswering"
    primary_metric = "f1"
    takes_pairs = True
    has_classes = False
    row_by_row = True
    unit = "pair"
    spans_in = "pair"
    baselines = ("majority", "overlap")

    def __init__(self, options: TaskOptions, state: Mapping[str, Any]) -> None:
        super().__init__(options, state)
        self.may_be_none = bool(state.get("may_be_none", False))

    @classmethod
    def parse_label(cls, raw: Any) -> Label:
        raise ValueError(t("an answer is understood beside its text alone"))

    @classmethod
    def parse_input(cls, text: Any, pair: Any) -> tuple[Any, Any]:
        if isinstance(pair, str) and not pair.strip():
            raise ValueError(t("there is no text that could hold an answer"))
        return text, pair

    @classmethod
    def parse_row(cls, text: Any, pair: Any, label: Any) -> tuple[Any, Any, Label]:
        """A question, a text, and its answers: a text, or as in SQuAD texts with the character they begin at."""
        text, pair = cls.parse_input(text, pair)
        if not isinstance(pair, str):
            return text, pair, ()
        spans = [_located(answer, start, pair) for answer, start in _answers(label)]
        return text, pair, tuple(dict.fromkeys(spans))

    @property
    def outputs(self) -> int:
        return 2

    @property
    def output_names(self) -> tuple[str, ...]:
        return ("start", "end")

    def learn(self, labels: Sequence[Label]) -> None:
        self.may_be_none = not all(labels)

    @property
    def state(self) -> dict[str, Any]:
        return {"labels": [], "may_be_none": self.may_be_none}

    def aligned(self, labels: Sequence[Label], tokens: Tokens, inputs: Sequence[Input]) -> np.ndarray[Any, Any]:
        """Of each window the tokens at which its answer begins and ends, and where its text begins and ends, (n, 4)."""
        targets = np.zeros((len(tokens), 4), dtype=np.int64)
        for row, owner, places, first, last in _windows(tokens):
            targets[row, 2:] = first, last
            for span in labels[owner][:1]:  # type: ignore[index]
                inside = np.flatnonzero((places[:, 1] > span.start) & (places[:, 0] < span.end))
                whole = len(inside) and places[inside[0], 0] <= span.start and places[inside[-1], 1] >= span.end
                if whole:
                    targets[row, :2] = inside[0], inside[-1]
        return targets

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        import torch
        from torch.nn.functional import cross_entropy

        positions = torch.arange(logits.shape[1], device=logits.device)
        inside = (positions >= targets[:, 2:3]) & (positions < targets[:, 3:4]) | (positions == NO_ANSWER)
        possible = logits.masked_fill(~inside[:, :, None], float("-inf"))
        starts, ends = (cross_entropy(possible[:, :, k], targets[:, k], reduction="none") for k in (0, 1))
        answer: Tensor = (starts + ends) / 2
        return answer

    def answers(self, logits: FloatArray, tokens: Tokens, inputs: Sequence[Input]) -> FloatArray:
        """The best stretch over the windows of each text, or nothing."""
        found: list[list[tuple[float, float, int, int]]] = [[] for _ in inputs]
        for row, owner, places, first, last in _windows(tokens):
            found[owner].append(self._best(logits[row].astype(np.float64), places, first, last))
        return as_scores(self._chosen(each, item) for each, item in zip(found, inputs, strict=True))

    def row_figures(self, labels: Sequence[Label], scores: FloatArray) -> dict[str, Any]:
        rows = list(zip(labels, self.decide(scores), strict=True))
        return {
            "f1": np.array([_best_of(shared_f1, *row) for row in rows]),
            "exact_match": np.array([_best_of(same_words, *row) for row in rows]),
        }

    def right(self, labels: Sequence[Label], scores: FloatArray) -> Any:
        return self.row_figures(labels, scores)["exact_match"] == 1

    def _best(self, logits: Any, places: IntArray, first: int, last: int) -> tuple[float, float, int, int]:
        """Logits of no answer and of the best stretch of a window, and where that begins and ends."""
        none = float(logits[NO_ANSWER].sum())
        if last <= first:
            return none, -np.inf, 0, 0
        inside = logits[first:last]
        starts, ends = (np.argsort(-inside[:, k], kind="stable")[:CANDIDATES] for k in (0, 1))
        sizes = ends[None] - starts[:, None]
        sums = np.where(
            (sizes >= 0) & (sizes < self.options.max_answer_tokens), inside[starts, :1] + inside[None, ends, 1], -np.inf
        )
        start, end = np.unravel_index(int(sums.argmax()), sums.shape)
        best = float(sums[start, end])
        return none, best, int(places[first + starts[start], 0]), int(places[first + ends[end], 1])

    def _chosen(self, read: list[tuple[float, float, int, int]], item: Input) -> Found:
        """The answer of the window whose best stretch has the largest logits; its probability is against no answer
        and against the best stretches of the other windows."""
        none, (_, best, start, end) = min(each[0] for each in read), max(read, key=lambda each: each[1])
        if not np.isfinite(best) or (self.may_be_none and none > best + self.options.null_threshold):
            return ()
        rivals = [each[1] for each in read] + ([none] if self.may_be_none else [])
        sure = float(np.exp(best - np.logaddexp.reduce(rivals)))
        return ((Span(start, end, item[1][start:end]), sure),)


def _best_of(figure: Any, label: Label, answer: Label) -> float:
    given = [span.label for span in answer]  # type: ignore[union-attr]
    right = [span.label for span in label]  # type: ignore[union-attr]
    if not given or not right:
        return float(given == right)
    return float(max(figure(given[0], each) for each in right))


def _windows(tokens: Tokens) -> Iterator[tuple[int, int, IntArray, int, int]]:
    """Number of each window and its input, the places of its tokens, and where its part of the text begins and ends."""
    for row, owner, places in windows(tokens):
        inside = np.flatnonzero(places[:, 1] > places[:, 0])
        first, last = (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, 0)
        yield row, owner, places, first, last


def _answers(raw: Any) -> list[tuple[str, int | None]]:
    """Texts and where they begin."""
    if isinstance(raw, str):
        found = from_json(raw)
        if not all(isinstance(each, str | dict) for each in (found if isinstance(found, list) else [found])):
            return [(raw, None)] if raw.strip() else []
        raw = found
    if raw is None:
        return []
    try:
        if isinstance(raw, dict) and isinstance(raw.get("text"), list | tuple):
            starts = raw.get("answer_start") or [None] * len(raw["text"])
            if len(starts) == len(raw["text"]):
                return list(zip(raw["text"], starts, strict=True))
            raise ValueError(t("{texts} answers have {starts} beginnings", texts=len(raw["text"]), starts=len(starts)))
        parts = [raw] if isinstance(raw, dict) else list(raw)
        return [
            (part, None) if isinstance(part, str) else (part["text"], part.get("answer_start", part.get("start")))
            for part in parts
        ]
    except (KeyError, TypeError, AttributeError):
        raise ValueError(t("{value} is no answer", value=str(raw)[:60])) from None


def _located(answer: str, start: int | None, text: str) -> Span:
    """Where an answer stands; one that is a little off is put right.

    Raises:
        ValueError: if the text does not hold it.
    """
    answer = str(answer).strip()
    places = [match.start() for match in re.finditer(re.escape(answer), text)] if answer else []
    if not places:
        raise ValueError(t("the answer {answer!r} is not in the text", answer=answer[:60]))
    try:
        place = places[0] if start is None else min(places, key=lambda each: abs(each - int(start)))
    except (TypeError, ValueError):
        raise ValueError(t("{value} is no answer", value=f"{answer}, {start}"[:60])) from None
    return Span(place, place + len(answer), answer)
