"""The same figure on parts of the test split: where does the model do worse?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.conversation import spoken
from tuneloop.evaluation.intervals import Array, Figure, bootstrap, figure
from tuneloop.evaluation.metrics import families_of_parts

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples
    from tuneloop.tasks.base import FloatArray, Task

SLICE_METRICS = {
    "single_label_classification": "accuracy",
    "multi_label_classification": "micro_f1",
    "regression": "mae",
    "token_classification": "micro_f1",
}
"""Metrics that mean the same on a part as on the whole. Macro-F1 falls where a part lacks a class, and R2 where a part
varies little, though no answer got worse."""

FEWEST_ROWS = 20
MOST_VALUES = 20

Part = tuple[str, str | None, Array]
"""By what, which part of it, and its rows."""


@dataclass(frozen=True)
class Slice:
    """One part of the test split and the metric on it.

    Args:
        by: "length" (characters), "truncated", or the name of a column.
        part: which part, such as "1-40" or a value of the column; None for the pooled rest.
        rows: how many rows it has.
        metric: one of `SLICE_METRICS`.
        figure: the metric with its interval.
    """

    by: str
    part: str | None
    rows: int
    metric: str
    figure: Figure

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        about = {"by": self.by, "part": self.part, "rows": self.rows, "metric": self.metric}
        return about | self.figure.to_json()


def slices(
    task: Task,
    examples: Examples,
    scores: FloatArray,
    *,
    columns: Sequence[str],
    truncated: Sequence[bool] | None,
    resamples: int,
    seed: int,
) -> list[Slice]:
    """The metric by quarters of length, by whether the text was cut, and by the values of each column.

    Raises:
        DataError: if the data have no such column.
    """
    parts = list(_by_length(examples, prompts=task.generates))
    if truncated is not None:
        cut = np.array(truncated, dtype=bool)
        named: list[Part] = [("truncated", name, np.flatnonzero(rows)) for name, rows in (("yes", cut), ("no", ~cut))]
        parts += named if min(len(rows) for _, _, rows in named) >= FEWEST_ROWS else []
    for column in columns:
        parts += _by_column(examples, column)
    metric = SLICE_METRICS.get(task.problem_type, task.primary_metric)
    found, family_of = [], families_of_parts(task, examples.labels, scores)
    for by, name, rows in parts:
        family = family_of(rows)
        samples = bootstrap(family.resample, rows=len(rows), resamples=resamples, seed=seed)[metric]
        measured = figure(metric, family.values()[metric], samples)
        found.append(Slice(by, name, len(rows), metric, measured))
    return found


def _by_length(examples: Examples, *, prompts: bool) -> Iterator[Part]:
    """Quarters of the rows by characters, of `prompts` those of what is said; fewer where many are equally long."""
    if prompts:
        lengths = np.array([len(spoken(text)) for text in examples.texts])
    else:
        lengths = np.array([len(item) if isinstance(item, str) else sum(map(len, item)) for item in examples.inputs])
    edges = np.unique(np.quantile(lengths, [0.25, 0.5, 0.75], method="inverted_cdf"))
    places = np.searchsorted(edges, lengths)
    for place in np.unique(places):
        rows = np.flatnonzero(places == place)
        yield "length", f"{lengths[rows].min()}-{lengths[rows].max()}", rows


def _by_column(examples: Examples, column: str) -> Iterator[Part]:
    """The most frequent values (`MOST_VALUES` at most, `FEWEST_ROWS` rows at least), then all others together."""
    if column not in examples.columns:
        raise DataError(
            t("The data have no column {column!r} to slice by.", column=column),
            t("Columns that are there: {known}.", known=", ".join(examples.columns) or "-"),
        )
    values = np.array([str(value) for value in examples.columns[column]], dtype=object)
    frequent = [value for value, count in Counter(values).most_common(MOST_VALUES) if count >= FEWEST_ROWS]
    for value in sorted(frequent):
        yield column, value, np.flatnonzero(values == value)
    rest = np.flatnonzero(~np.isin(values, frequent)) if frequent else np.arange(len(values))
    if len(rest):
        yield column, None, rest
