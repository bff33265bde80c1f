"""Which stretches of a text are what: names, places, products, parts of speech."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.cells import from_json
from tuneloop.data.examples import Input, Label, Span
from tuneloop.data.tags import joined, spans_of_tags
from tuneloop.data.units import units
from tuneloop.models.forward import padded_width
from tuneloop.tasks.parted import windows
from tuneloop.tasks.spans import SpanTask, as_scores, parse_spans

if TYPE_CHECKING:
    from torch import Tensor

    from tuneloop.data.tokens import Tokens
    from tuneloop.tasks.base import FloatArray
    from tuneloop.tasks.spans import Found

    IntArray = np.ndarray[Any, np.dtype[np.int64]]

NOT_JUDGED = -100
"""Target of a token that does not begin a unit."""

IMPOSSIBLE = -1e9


class Tagging(SpanTask):
    """BIO tags of words and Chinese characters: the first token of each answers for it.

    Tags follow Ramshaw and Marcus, "Text Chunking using Transformation-Based Learning" (1995), form IOB2: B- begins a
    stretch and I- goes on with it. The likeliest sequence in which no I- stands without its beginning is taken
    (Viterbi, 1967). A stretch counts as found if its place and its name are exactly right, as in CoNLL-2003 and
    `seqeval`.
    """

    name = "tagging"
    problem_type = "token_classification"
    architecture = "AutoModelForTokenClassification"
    primary_metric = "micro_f1"
    fewest_classes = 1
    row_by_row = True
    spans_in = "text"
    baselines = ("majority", "lexicon")

    @classmethod
    def parse_label(cls, raw: Any) -> Label:
        raise ValueError(t("stretches are understood beside their text alone"))

    @classmethod
    def parse_input(cls, text: Any, pair: Any) -> tuple[Any, Any]:
        words = _words(text)
        return (text if words is None else joined(words)[0]), pair

    @classmethod
    def parse_row(cls, text: Any, pair: Any, label: Any) -> tuple[Any, Any, Label]:
        """A text with its stretches, or words with one tag for each."""
        raw, words = _listed(label), _words(text)
        if words is None:
            if not isinstance(text, str):
                return text, pair, ()
            return text, pair, tuple(parse_spans(raw, text))
        if len(words) != len(raw):
            raise ValueError(t("{words} words have {tags} tags", words=len(words), tags=len(raw)))
        if any(not isinstance(tag, str) for tag in raw):
            raise ValueError(t("the tags are numbers: write their names, such as B-person"))
        whole, places = joined(words)
        return whole, pair, tuple(spans_of_tags(raw, places))

    @classmethod
    def label_names(cls, labels: Iterable[Label]) -> list[str]:
        return sorted({span.label for label in labels for span in _spans(label)})

    @property
    def outputs(self) -> int:
        return len(self.output_names)

    @property
    def output_names(self) -> tuple[str, ...]:
        return ("O", *(f"{mark}-{label}" for label in self.labels for mark in "BI"))

    def aligned(self, labels: Sequence[Label], tokens: Tokens, inputs: Sequence[Input]) -> np.ndarray[Any, Any]:
        """The number of the tag of each token that begins a unit, int16, (texts, longest)."""
        targets = np.full((len(tokens), padded_width(tokens.lengths)), NOT_JUDGED, dtype=np.int16)
        for row, owner, places in windows(tokens):
            edges = units(_text(inputs[owner]))
            positions, numbers = _first_tokens(places, edges)
            # a token of several units learns the tag of the first
            targets[row, positions[::-1]] = self._tags(labels[owner], edges)[numbers[::-1]]
        return targets

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        from torch.nn.functional import cross_entropy

        wanted = targets[:, : logits.shape[1]].long()
        losses = cross_entropy(logits.transpose(1, 2), wanted, ignore_index=NOT_JUDGED, reduction="none")
        answer: Tensor = losses.sum(dim=1) / (wanted != NOT_JUDGED).sum(dim=1).clamp(min=1)
        return answer

    def told(self, answer: Label, text: str) -> Any:
        return [each | {"text": text[each["start"] : each["end"]]} for each in super().told(answer, text)]

    def answers(self, logits: FloatArray, tokens: Tokens, inputs: Sequence[Input]) -> FloatArray:
        """What is found in each text; a unit in two windows is judged in the one with more of the text around it."""
        best: dict[int, tuple[Any, Any]] = {}
        for row, owner, places in windows(tokens):
            edges = best[owner][1] if owner in best else units(_text(inputs[owner]))
            if owner not in best:
                best[owner] = np.full((len(edges), 1 + self.outputs), -1.0), edges
            positions, numbers = _first_tokens(places, edges)
            if not len(positions):
                continue
            room = np.minimum(positions - positions[0], positions[-1] - positions)
            better = room > best[owner][0][numbers, 0]
            logs = _log_softmax(logits[row, positions])
            goes_on = np.diff(positions, prepend=-1) == 0
            logs[goes_on] = _going_on(logs[goes_on])
            found = np.column_stack([room, logs])
            best[owner][0][numbers[better]] = found[better]
        return as_scores(self._found(judged, edges) for _, (judged, edges) in sorted(best.items()))

    def counts(self, labels: Sequence[Label], answers: Sequence[Label]) -> tuple[Any, Any, Any]:
        number = {label: place for place, label in enumerate(self.labels)}
        for name in self.label_names(labels):
            self._check_known(name)
        hits, given, meant = (np.zeros((len(labels), len(self.labels))) for _ in range(3))
        for row, (label, answer) in enumerate(zip(labels, answers, strict=True)):
            truth, found = set(_spans(label)), set(_spans(answer))
            for counted, spans in ((hits, truth & found), (given, found), (meant, truth)):
                for span in spans:
                    counted[row, number[span.label]] += 1
        return hits, given, meant

    def metrics(self, labels: Sequence[Label], scores: FloatArray) -> dict[str, float]:
        answers = self.decide(scores)
        hits, given, meant = (counted.sum(axis=0) for counted in self.counts(labels, answers))
        f1 = np.divide(2 * hits, given + meant, out=np.zeros_like(hits), where=given + meant > 0)
        return {
            "micro_f1": float(2 * hits.sum() / max(1, given.sum() + meant.sum())),
            "macro_f1": float(f1.mean()),
            "weighted_f1": float((f1 * meant).sum() / max(1, meant.sum())),
            "subset_accuracy": float(np.mean([one == other for one, other in zip(labels, answers, strict=True)])),
        }

    def _tags(self, label: Label, edges: IntArray) -> IntArray:
        """The number of each unit's tag, (units,)."""
        tags = np.zeros(len(edges), dtype=np.int64)
        for span in _spans(label):
            self._check_known(span.label)
            inside = np.flatnonzero((edges[:, 1] > span.start) & (edges[:, 0] < span.end))
            tags[inside] = 2 + 2 * self.labels.index(span.label)
            tags[inside[:1]] -= 1
        return tags

    def _check_known(self, name: str) -> None:
        if name not in self.labels:
            raise DataError(
                t("The label {label} is not one the model has learnt.", label=repr(name)),
                t("Known labels: {known}.", known=", ".join(self.labels[:20])),
            )

    def _found(self, judged: Any, edges: IntArray) -> Found:
        """The stretches of one text.

        Args:
            judged: of each unit the room around it, below 0 where no window reached it, and its log-probabilities.
        """
        path, found = likeliest(judged[:, 1:]), []
        tags = np.where(judged[:, 0] < 0, 0, path)
        starts = np.flatnonzero(tags % 2 == 1)
        for start in starts:
            end = start + 1
            while end < len(tags) and tags[end] == tags[start] + 1:
                end += 1
            sure = float(np.exp(judged[np.arange(start, end), 1 + tags[start:end]].min()))
            name = self.labels[(tags[start] - 1) // 2]
            found.append((Span(int(edges[start, 0]), int(edges[end - 1, 1]), name), sure))
        return tuple(found)


def likeliest(log_probabilities: FloatArray) -> IntArray:
    """The likeliest sequence of tags O, B-1, I-1, B-2, I-2, ... in which each I- follows its B- or itself.

    Args:
        log_probabilities: (units, tags).
    """
    path: IntArray = log_probabilities.argmax(axis=1)
    if all(tag == 0 or tag % 2 == 1 or before in (tag - 1, tag) for before, tag in pairwise([0, *path.tolist()])):
        return path
    tags = np.arange(log_probabilities.shape[1])
    allowed = (tags % 2 == 1) | (tags == 0) | (tags[:, None] == tags) | (tags[:, None] == tags - 1)
    steps = np.where(allowed, 0.0, IMPOSSIBLE)
    total, sources = log_probabilities[0] + steps[0], []
    for each in log_probabilities[1:]:
        reached = total[:, None] + steps
        sources.append(reached.argmax(axis=0))
        total = reached.max(axis=0) + each
    path[-1] = total.argmax()
    for place in range(len(sources), 0, -1):
        path[place - 1] = sources[place - 1][path[place]]
    return path


def _first_tokens(places: IntArray, edges: IntArray) -> tuple[IntArray, IntArray]:
    """For each unit that tokens reach the first one that does, and the number of the unit, in order.

    A token may hold several units, and stand there for each of them; a window may begin inside a unit.
    """
    real = np.flatnonzero(places[:, 1] > places[:, 0])
    begin = np.searchsorted(edges[:, 1], places[real, 0], side="right")
    counts = np.maximum(np.searchsorted(edges[:, 0], places[real, 1], side="left") - begin, 0)
    tokens, within = np.repeat(real, counts), np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    numbers, first = np.unique(np.repeat(begin, counts) + within, return_index=True)
    return tokens[first], numbers


def _going_on(logs: Any) -> Any:
    """What a token says of a unit that is not the first in it: the stretch that has begun there goes on."""
    found = logs.copy()
    found[:, 2::2] = np.logaddexp(logs[:, 1::2], logs[:, 2::2])
    found[:, 1::2] = IMPOSSIBLE
    return found


def _log_softmax(logits: FloatArray) -> Any:
    exact = logits.astype(np.float64)
    return exact - np.logaddexp.reduce(exact, axis=1, keepdims=True)


def _spans(label: Label) -> tuple[Span, ...]:
    return label  # type: ignore[return-value]


def _text(item: Input) -> str:
    return item if isinstance(item, str) else item[0]


def _words(text: Any) -> list[str] | None:
    """The words that a text is given as: a list, or a JSON list of texts in a cell."""
    if isinstance(text, list | tuple):
        return [str(word) for word in text]
    listed = from_json(text)
    return listed if isinstance(listed, list) and listed and all(isinstance(word, str) for word in listed) else None


def _listed(raw: Any) -> list[Any]:
    """A list, or the JSON list in a cell; an empty cell is an empty list."""
    if isinstance(raw, str):
        raw = from_json(raw) if raw.strip() else []
    if not isinstance(raw, list | tuple):
        raise ValueError(t("the label is no list of stretches or tags"))
    return list(raw)
