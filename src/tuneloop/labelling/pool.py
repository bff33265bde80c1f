"""Texts that could be labelled, and what is labelled already, from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneloop.core.config import DataConfig
from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.readers import read_table
from tuneloop.data.readers.samples import columns_of
from tuneloop.data.readers.table import Table
from tuneloop.labelling.kinds import kind_of, read_input, read_label

Text = tuple[str, str | None]


@dataclass
class Pool:
    """Texts with their second text, None for single ones; those with a label, as JSON has it, apart."""

    unlabelled: list[Text] = field(default_factory=list)
    labelled: list[tuple[Text, Any]] = field(default_factory=list)


def read_pool(source: str, config: DataConfig, *, base: Path, task: str, format: str = "auto") -> Pool:
    """The rows of a file; blank texts are left out.

    A row is unlabelled if the file has no column of labels or nothing stands there; where nothing is an answer too
    (several classes, stretches), a row of `config.source` with an empty cell counts as labelled, as it does in tuning.

    Raises:
        DataError: if the file cannot be read, has no column of texts, or a row is wrong; with file, row and column.
    """
    table = read_table(source, base=base, format=format, encoding=config.encoding)
    columns = columns_of(source, config.columns)
    name = "text" if columns.text not in table.columns and list(table.columns) == ["text"] else columns.text
    texts = table.column(name, setting="data.columns.text")
    pairs: Sequence[Any] = [None] * len(table)
    if columns.pair is not None:
        pairs = table.column(columns.pair, setting="data.columns.pair")
    labels = table.columns.get(columns.label, [None] * len(table))
    empty_counts = source == config.source and kind_of(task) in ("classes", "spans")
    found = Pool()
    for row, (text, pair, raw) in enumerate(zip(texts, pairs, labels, strict=True)):
        if isinstance(text, str) and not text.strip():
            continue
        item = _input(table, row, name, task, text, pair)
        if raw is None or (isinstance(raw, str) and not raw.strip() and not empty_counts):
            found.unlabelled.append(item)
        else:
            found.labelled.append((item, _label(table, row, columns.label, task, (text, pair, raw))))
    return found


def _input(table: Table, row: int, name: str, task: str, text: Any, pair: Any) -> Text:
    try:
        return read_input(task, text, pair)
    except ValueError as error:
        raise DataError(
            t("{place}: {reason}.", place=table.place(row, name), reason=error), t("Correct the row, or leave it out.")
        ) from None


def _label(table: Table, row: int, name: str, task: str, given: tuple[Any, Any, Any]) -> Any:
    try:
        return read_label(task, *given)
    except ValueError as error:
        raise DataError(
            t("{place}: {reason}.", place=table.place(row, name), reason=error), t("Correct the row, or leave it out.")
        ) from None
