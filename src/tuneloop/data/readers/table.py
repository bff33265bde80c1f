"""What a reader gives: columns, and where each row stands in the file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.mapped import pick


@dataclass(frozen=True)
class Table:
    """The rows of one file, column by column.

    Args:
        path: the file.
        columns: name to values, all of equal length; what a row lacks is None.
        rows: number of each row as a person counts: a spreadsheet's rows for CSV (the header is
            row 1), lines for JSONL, records from 1 for Parquet.
        lines: where each row begins in a text editor, from 1; None where `rows` says it.
        encoding: of a text file; empty for binary ones.
        worse: the column with a worse answer to the text of each row, of a file of preferences; empty for others.
    """

    path: Path
    columns: Mapping[str, Sequence[Any]]
    rows: Sequence[int]
    lines: Sequence[int] | None = None
    encoding: str = ""
    worse: str = ""

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str, *, setting: str) -> Sequence[Any]:
        """The values of a column; `setting` ("data.columns.text") is what named it.

        Raises:
            DataError: if there is no such column; the nearest is suggested.
        """
        if name in self.columns:
            return self.columns[name]
        names = list(self.columns)
        near = [other for other in names if other.casefold() == name.casefold()]
        near = near or difflib.get_close_matches(name, names, n=1)
        hint = t("Did you mean {name}?", name=near[0]) + " " if near else ""
        raise DataError(
            t('{file} has no column "{name}".', file=self.path.name, name=name),
            hint + t("Its columns: {known}. Set {setting}.", known=", ".join(names[:30]), setting=setting),
        )

    def select(self, rows: Sequence[int]) -> Table:
        """The given rows (from 0), in the given order."""
        return Table(
            self.path,
            {name: pick(values, rows) for name, values in self.columns.items()},
            [self.rows[row] for row in rows],
            None if self.lines is None else [self.lines[row] for row in rows],
            self.encoding,
            self.worse,
        )

    def place(self, index: int, column: str | None = None) -> str:
        """Where the row `index` (from 0) stands, for an error: `reviews.csv, row 812, column "label"`."""
        line = self.lines[index] if self.lines is not None else None
        where = place(self.path, self.rows[index], line)
        return where if column is None else t('{place}, column "{name}"', place=where, name=column)


class Reader(Protocol):
    """A function from a file to a table; `split` matters only where a file holds several."""

    def __call__(self, path: Path, *, encoding: str, split: str) -> Table: ...


def place(path: Path, row: int, line: int | None = None) -> str:
    """A row of a file, for an error; the line too where it is another number."""
    if line is None or line == row:
        return t("{file}, row {row}", file=path.name, row=row)
    return t("{file}, row {row} (line {line})", file=path.name, row=row, line=line)
