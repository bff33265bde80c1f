"""The training rows that are most like a text, as the model sees it or, where that is hidden, by their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.core.progress import progress
from tuneloop.data.bag_of_words import vectorizer
from tuneloop.explain.vectors import lacks_vectors, vectors_of

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples, Input
    from tuneloop.tasks.base import ModelHandle

Seen = Literal["vectors", "words"]
MOST_ROWS = 5000
"""Training rows that are looked at: each has to be read by the model once."""


PORTION = 256
"""Rows that are read between two looks at the clock."""


@dataclass(frozen=True)
class Near:
    """A training row.

    Args:
        id: of the row.
        text: of the row.
        pair: its second text; None without one.
        label: what the row is labelled with.
        similarity: cosine, at most 1.
    """

    id: str
    text: str
    pair: str | None
    label: Any
    similarity: float


@dataclass(frozen=True)
class Nearest:
    """The rows nearest to an input.

    Args:
        seen: what was compared: the model's vectors, or words.
        answer: what the model answers to the input.
        rows: the most alike first.
        looked_at: training rows that were looked at.
        all_rows: training rows.
    """

    seen: Seen
    answer: Any
    rows: tuple[Near, ...]
    looked_at: int
    all_rows: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


class TrainingRows:
    """Training rows, ready to be compared with texts.

    Args:
        model: what answers; its own vectors are taken where its engine has them.
        train: what it learnt from.
        most: rows that are looked at; of more a random choice.
        seed: of the choice.
        quiet: show no progress.
    """

    def __init__(
        self, model: ModelHandle, train: Examples, *, most: int = MOST_ROWS, seed: int = 0, quiet: bool = True
    ) -> None:
        self.rows, self.all_rows = some_rows(train, most=most, seed=seed), len(train)
        self.model = model
        self.why_words = lacks_vectors(model)
        """Why words are compared; empty where vectors are."""
        if self.why_words:
            self._words = vectorizer(self.rows.inputs)
            self._known: Any = self._words.fit_transform(self.rows.inputs)  # rows of length 1
        else:
            self.vectors = _read(model, self.rows.inputs, quiet=quiet)
            """What the last layer receives of each row, (rows, hidden); only where vectors are compared."""
            self._known = _unit(self.vectors)

    @property
    def seen(self) -> Seen:
        """What is compared: the model's vectors, or words."""
        return "words" if self.why_words else "vectors"

    def nearest(self, item: Input, *, most: int = 5) -> Nearest:
        """The rows that are most like an input."""
        mended = getattr(self.model, "mended", None)
        item = item if mended is None else mended([item])[0]
        vector = self._words.transform([item]) if self.why_words else _unit(vectors_of(self.model, [item]))
        likeness = self._known @ vector.T
        found = np.asarray(likeness.toarray() if self.why_words else likeness)[:, 0]
        pairs, labels = self.rows.pairs, self.rows.labels
        rows = tuple(
            Near(
                self.rows.ids[row], self.rows.texts[row], None if pairs is None else pairs[row],
                labels[row] if labels else None, float(found[row]),
            )
            for row in np.argsort(-found, kind="stable")[:most]
        )  # fmt: skip
        (answer,) = self.model.predict([item])
        return Nearest(self.seen, answer.label, rows, len(self.rows), self.all_rows)


def some_rows(train: Examples, *, most: int, seed: int) -> Examples:
    """All rows, or so many of them, in order."""
    if len(train) <= most:
        return train
    return train.select(np.sort(np.random.default_rng(seed).permutation(len(train))[:most]).tolist())


def sentence(found: Nearest) -> str:
    """How many of the nearest rows agree with the answer, in the language in force."""
    agree = sum(each.label == found.answer for each in found.rows)
    by = t("the model's own vectors") if found.seen == "vectors" else t("words and word pairs")
    return t("{agree} of the {n} nearest training rows, by {by}, are labelled {answer}; {looked_at} of {all} were "
             "looked at.", agree=agree, n=len(found.rows), by=by, answer=found.answer,
             looked_at=found.looked_at, all=found.all_rows)  # fmt: skip


def _read(model: ModelHandle, inputs: Sequence[Input], *, quiet: bool) -> np.ndarray[Any, Any]:
    """The vectors of many inputs, (n, hidden)."""
    parts = []
    with progress(t("reading training rows"), len(inputs), quiet=quiet) as bar:
        for start in range(0, len(inputs), PORTION):
            parts.append(vectors_of(model, inputs[start : start + PORTION]))
            bar.update(min(start + PORTION, len(inputs)))
    return np.concatenate(parts)


def _unit(vectors: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))
