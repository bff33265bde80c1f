"""The passages that answer a query, out of many: search, frequent questions, duplicate tickets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from tuneloop.core.hashing import hash_texts
from tuneloop.data.examples import Input, Label
from tuneloop.tasks.base import Prediction, TaskOptions
from tuneloop.tasks.embedding import EmbeddingTask, numbered

if TYPE_CHECKING:
    from torch import Tensor

    from tuneloop.core.preparation import CleanConfig
    from tuneloop.data.tokens import Tokens
    from tuneloop.tasks.base import FloatArray

    IntArray = np.ndarray[Any, np.dtype[np.int64]]

CUT = 10
"""Passages that MRR and nDCG look at."""

CHUNK = 1024
"""Queries that are compared with all passages at once."""

DIGITS = 12
NONE = -1


class RetrievalOptions(TaskOptions):
    """Options of retrieval."""

    temperature: float = Field(0.05, gt=0, description="Cosines are divided by this in the loss.")
    hard_negatives: int = Field(
        1, ge=0, description="Passages in each step, for each query, that the untrained model takes for its answer."
    )
    too_near: float = Field(
        0.95,
        gt=0,
        le=1,
        description="A passage nearer to a query than this share of its answer's cosine may answer it.",
    )


class Retrieval(EmbeddingTask):
    """Each row is a query and a passage that answers it; all other passages of a step are wrong answers.

    In-batch negatives: Karpukhin et al., "Dense Passage Retrieval" (2020), section 3.2, with cosines as in
    sentence-transformers. Hard negatives are mined once with the model as it came, without those too near to be wrong:
    Moreira et al., "NV-Retriever" (2024). Judged by recall, MRR (Craswell, 2009) and nDCG (Jarvelin and Kekalainen,
    2002, binary gains) among the distinct passages of the rows that are judged; a query in several rows has several
    right passages, counts once, and stands in one split. Scores are the two vectors of each row, side by side.
    """

    name = "retrieval"
    Options = RetrievalOptions
    options: RetrievalOptions
    problem_type = "retrieval"
    primary_metric = "ndcg_at_10"
    has_classes = False
    has_probabilities = False
    needs_label = False
    row_by_row = True
    compares_rows = True
    unit = "text"
    baselines = ("term_match",)

    @property
    def wants_negatives(self) -> bool:
        return self.options.hard_negatives > 0

    @classmethod
    def parse_label(cls, raw: Any) -> Label:
        return "" if raw is None else str(raw)

    @classmethod
    def parse_row(cls, text: Any, pair: Any, label: Any) -> tuple[Any, Any, Label]:
        """The label names query and passage, so that equal ones are known as such."""
        return text, pair, _name(str(text), str(pair))

    @classmethod
    def moved(cls, label: Label, before: Input, after: Input, config: CleanConfig) -> Label:
        return _name(after[0], after[1])

    def aligned(self, labels: Sequence[Label], tokens: Tokens, inputs: Sequence[Input]) -> np.ndarray[Any, Any]:
        """Of each text the number of its row, whether it is the passage, its query and its passage, (texts, 4)."""
        rows = np.arange(len(labels))
        queries, passages = _numbers(labels)
        columns = [np.repeat(each, 2) for each in (rows, np.zeros_like(rows), queries, passages)]
        columns[1][1::2] = 1
        return np.stack(columns, axis=1)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The cross-entropy of a query stands at the query, times the texts per query; 0 at passages."""
        import torch
        from torch.nn.functional import cross_entropy, normalize

        vectors = normalize(logits, dim=1)
        row, is_passage, query, passage = targets.unbind(dim=1)
        asking, offered = (is_passage == 0).nonzero()[:, 0], (is_passage == 1).nonzero()[:, 0]
        if not len(asking):  # nothing but wrong answers, in a part of a batch
            return logits.sum(dim=1) * 0
        own = row[asking, None] == row[offered]
        same = (passage[offered, None] == passage[offered]).to(vectors.dtype)
        also_right = (query[asking, None] == query[offered]).to(vectors.dtype) @ same > 0
        cosines = vectors[asking] @ vectors[offered].T / self.options.temperature
        place = own.long().argmax(dim=1)
        itself = torch.zeros_like(own).scatter_(1, place[:, None], True)
        wanted = cross_entropy(cosines.masked_fill(also_right & ~itself, float("-inf")), place, reduction="none")
        answer: Tensor = logits.new_zeros(len(logits)).index_put((asking,), wanted * (len(logits) / len(asking)))
        return answer

    def negatives(self, logits: FloatArray, tokens: Tokens, labels: Sequence[Label]) -> IntArray:
        """The passages of other rows that are nearest to each query without answering it."""
        wanted = self.options.hard_negatives
        found = np.full((len(labels), wanted), NONE, dtype=np.int64)
        asked, offered = self.vectors(logits, tokens)
        queries, passages = _numbers(labels)
        distinct, first = np.unique(passages, return_index=True)  # each passage once
        right = {query: np.searchsorted(distinct, sorted(each)) for query, each in _right(queries, passages).items()}
        for rows, cosines in _similar(asked, offered[first]):
            own = (asked[rows] * offered[rows]).sum(axis=1)
            near = cosines >= self.options.too_near * own[:, None]
            wrong = np.where(near, -np.inf, cosines)
            for place, row in enumerate(rows):
                wrong[place, right[int(queries[row])]] = -np.inf
            nearest = np.argsort(-wrong, axis=1, kind="stable")[:, :wanted]
            known = np.isfinite(np.take_along_axis(wrong, nearest, axis=1))
            width = nearest.shape[1]
            found[rows, :width] = np.where(known, tokens.groups[first[nearest]] + 1, NONE)
        return found

    def answers(self, logits: FloatArray, tokens: Tokens, inputs: Sequence[Input]) -> FloatArray:
        return np.hstack(self.vectors(logits, tokens)).astype(np.float32)

    def decide(self, scores: FloatArray) -> list[Label]:
        """At which place each row's own passage stands among the passages of all rows, from 1."""
        asked, offered = np.hsplit(scores, 2)
        return [
            float(1 + (cosines > own).sum())
            for rows, each in _similar(asked, offered)
            for cosines, own in zip(each, (asked[rows] * offered[rows]).sum(axis=1) + 1e-6, strict=True)
        ]

    def right(self, labels: Sequence[Label], scores: FloatArray) -> Any:
        """Whether the first passage answers the query, be it that of the row or another one that does."""
        return self.row_figures(labels, scores)["mrr_at_10"] == 1

    def row_weights(self, labels: Sequence[Label]) -> Any:
        """1 for the first row of each query, 0 for the others: every query counts once."""
        queries, _ = _numbers(labels)
        weights = np.zeros(len(labels))
        weights[np.unique(queries, return_index=True)[1]] = 1
        return weights

    def row_figures(self, labels: Sequence[Label], scores: FloatArray) -> dict[str, Any]:
        queries, passages = _numbers(labels)
        asked, offered = np.hsplit(scores, 2)
        _, first = np.unique(passages, return_index=True)
        right = _right(queries, passages)
        found: dict[str, list[float]] = {"ndcg_at_10": [], "mrr_at_10": [], "recall_at_1": [], "recall_at_10": []}
        for rows, cosines in _similar(asked, offered[first]):
            best = np.argsort(-cosines, axis=1, kind="stable")[:, :CUT]
            for row, order in zip(rows, passages[first][best], strict=True):
                _add(
                    found, [passage in right[int(queries[row])] for passage in order.tolist()], right[int(queries[row])]
                )
        return {name: np.array(values) for name, values in found.items()}

    def predictions(self, scores: FloatArray, truncated: Sequence[bool] | None = None) -> list[Prediction]:
        """The cosine of each query and its passage."""
        cut = truncated if truncated is not None else [False] * len(scores)
        asked, offered = np.hsplit(scores, 2)
        return [Prediction(float(c), {}, bool(k)) for c, k in zip((asked * offered).sum(axis=1), cut, strict=True)]

    def scores_of(self, answers: Sequence[Mapping[str, Any]], near: FloatArray) -> FloatArray:
        """The vectors of `near`, each passage moved along its query until the cosine is the one that was sent."""
        asked, offered = np.hsplit(near, 2)
        off = np.array([each["label"] for each in answers]) - (asked * offered).sum(axis=1)
        return np.hstack([asked, offered + off[:, None] * asked]).astype(np.float32)

    def told(self, answer: Label, text: str) -> Any:
        """The place of the right passage: the first is the label."""
        return {"place": int(answer) if isinstance(answer, float) else 1}

    def changes(self, scores: FloatArray, others: FloatArray) -> Any:
        cosines = [np.multiply(*np.hsplit(each, 2)).sum(axis=1) for each in (scores, others)]
        return np.abs(cosines[0] - cosines[1])

    def sureness(self, labels: Sequence[Label], scores: FloatArray) -> Any:
        """How near the wrong passage stands that is taken for the answer."""
        asked, offered = np.hsplit(scores, 2)
        return np.concatenate([cosines.max(axis=1) for _, cosines in _similar(asked, offered)])


def _add(found: dict[str, list[float]], hits: list[bool], right: set[int]) -> None:
    """The figures of one query: hits among its first passages, and all that are right."""
    gains = 1 / np.log2(np.arange(2, 2 + max(len(hits), len(right))))
    first = next((place for place, hit in enumerate(hits) if hit), None)
    found["ndcg_at_10"].append(float(gains[: len(hits)][hits].sum() / gains[: min(len(right), CUT)].sum()))
    found["mrr_at_10"].append(0.0 if first is None else 1 / (1 + first))
    found["recall_at_1"].append(sum(hits[:1]) / len(right))
    found["recall_at_10"].append(sum(hits) / len(right))


def _similar(asked: FloatArray, offered: FloatArray) -> Iterator[tuple[IntArray, FloatArray]]:
    """Rows of queries, and their products with all passages."""
    for start in range(0, len(asked), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(asked)))
        yield rows, asked[rows] @ offered.T


def _numbers(labels: Sequence[Label]) -> tuple[IntArray, IntArray]:
    """Numbers of the query and of the passage of each row."""
    parts = [str(label).split(":") for label in labels]
    return numbered(part[0] for part in parts), numbered(part[1] for part in parts)


def _right(queries: IntArray, passages: IntArray) -> dict[int, set[int]]:
    """The passages that answer each query."""
    right: dict[int, set[int]] = {}
    for query, passage in zip(queries.tolist(), passages.tolist(), strict=True):
        right.setdefault(query, set()).add(passage)
    return right


def _name(query: str, passage: str) -> str:
    plain = (" ".join(text.split()) for text in (query, passage))
    return ":".join(hash_texts([text])[:DIGITS] for text in plain)
