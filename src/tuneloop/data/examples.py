"""Examples: columns of equal length, one row per example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tuneloop.data.mapped import pick


class Span(NamedTuple):
    """A stretch of a text: its characters from `start` to before `end`, and what it is called or says."""

    start: int
    end: int
    label: str


Input = str | tuple[str, str]
"""What a model judges: a text, or a text and its pair."""

Label = str | tuple[str, ...] | tuple[Span, ...] | float
"""One class, several classes (sorted), several stretches of the text (in order), or a number."""


@dataclass(frozen=True)
class Examples:
    """Rows of a dataset, column by column.

    Args:
        ids: a unique name per row.
        texts: the texts.
        pairs: the second texts, for text-pair tasks; None otherwise.
        labels: the answers; empty for unlabelled rows.
        columns: every other column of the file, for slices.
    """

    ids: Sequence[str]
    texts: Sequence[str]
    labels: Sequence[Label] = field(default_factory=list)
    pairs: Sequence[str] | None = None
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def inputs(self) -> Sequence[Input]:
        """What a model handle takes: texts, or (text, pair) tuples."""
        return self.texts if self.pairs is None else list(zip(self.texts, self.pairs, strict=True))

    def select(self, rows: Sequence[int]) -> Examples:
        """The given rows, in the given order."""
        return Examples(
            ids=pick(self.ids, rows),
            texts=pick(self.texts, rows),
            labels=pick(self.labels, rows) if self.labels else [],
            pairs=None if self.pairs is None else pick(self.pairs, rows),
            columns={name: pick(values, rows) for name, values in self.columns.items()},
        )


def joined(*parts: Examples) -> Examples:
    """Rows of several kinds one behind the other, without their other columns, which may differ."""
    pairs = [pair for part in parts for pair in part.pairs or ()]
    return Examples(
        ids=[number for part in parts for number in part.ids],
        texts=[text for part in parts for text in part.texts],
        labels=[label for part in parts for label in part.labels],
        pairs=pairs or None,
    )


def as_input(text: str, pair: str | None) -> Input:
    """What a model judges: the text alone, or with its pair."""
    return text if pair is None else (text, pair)
