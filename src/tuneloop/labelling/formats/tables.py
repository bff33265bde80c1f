"""Labels as JSON lines that `data.source` reads, and as CSV for spreadsheets.

A spreadsheet takes a cell that begins with = + - @, a tab or a carriage return for a formula, so such cells get a
quote in front (CWE-1236); reading takes it away again. A cell that already begins with quotes before such a character
gets one more, so that every text comes back as it was.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.readers import read_table
from tuneloop.data.readers.table import Table
from tuneloop.labelling.kinds import Kind
from tuneloop.labelling.rows import Names, Row, iso, seconds_of

FORMULA = re.compile(r"'*[=+\-@\t\r]")
QUOTED = re.compile(r"'+[=+\-@\t\r]")


class _Table:
    """Columns text, pair, label, annotator, skipped, at, seconds, guess; only text and label must be there."""

    reader = "jsonl"

    def read(self, path: Path, names: Names, kind: Kind) -> list[Row]:
        table = self._table(path)
        table.column(names.text, setting="data.columns.text")
        table.column(names.label, setting="data.columns.label")
        return [self._row(table, row, names) for row in range(len(table))]

    def _table(self, path: Path) -> Table:
        return read_table(str(path.absolute()), base=Path(), format=self.reader)

    def _row(self, table: Table, row: int, names: Names) -> Row:
        def cell(name: str) -> Any:
            return table.columns[name][row] if name in table.columns else None

        times = dict[str, float | None]()
        for name in ("at", "seconds"):
            try:
                times[name] = seconds_of(cell(name))
            except ValueError as error:
                raise DataError(
                    t("{place}: {reason}.", place=table.place(row, name), reason=error),
                    t("Write it as 2026-01-31T12:00:00Z, or leave it empty."),
                ) from None
        label = cell(names.label)
        skipped = cell("skipped")
        if skipped not in (None, "", True, False, "true", "false"):
            raise DataError(
                t("{place}: {value!r} is neither true nor false.", place=table.place(row, "skipped"), value=skipped),
                t("Write true where the text was skipped, else leave it empty."),
            )
        return Row(
            cell(names.text), cell(names.pair), None if label == "" else label, str(cell("annotator") or ""),
            skipped in (True, "true"), times["at"], times["seconds"], table.place(row), names.label,
        )  # fmt: skip

    def write(self, rows: Sequence[Row], names: Names, kind: Kind) -> str:
        raise NotImplementedError


class Jsonl(_Table):
    """One object per line; what is not known is left out, so that the file goes straight into `data.source`."""

    def write(self, rows: Sequence[Row], names: Names, kind: Kind) -> str:
        return "".join(json.dumps(_object(row, names), ensure_ascii=False, allow_nan=False) + "\n" for row in rows)


class Csv(_Table):
    """A header and one row per answer; several classes and stretches are JSON in their cell."""

    reader = "csv"

    def _table(self, path: Path) -> Table:
        form = "tsv" if path.suffix.lower() == ".tsv" else "csv"
        table = read_table(str(path.absolute()), base=Path(), format=form)
        columns = {name: [restored(value) for value in values] for name, values in table.columns.items()}
        return replace(table, columns=columns)

    def write(self, rows: Sequence[Row], names: Names, kind: Kind) -> str:
        objects = [_object(row, names) for row in rows]
        header = dict.fromkeys([names.text, *(key for each in objects for key in each), names.label])
        header.pop(names.label)
        columns = [*header, names.label]
        file = io.StringIO(newline="")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([defused(column) for column in columns])
        writer.writerows([_cell(each.get(column)) for column in columns] for each in objects)
        return file.getvalue()


def defused(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return "'" + cell if FORMULA.match(cell) else cell


def restored(cell: str) -> str:
    """What a defused cell was before; any other cell as it is."""
    return cell[1:] if QUOTED.match(cell) else cell


def _object(row: Row, names: Names) -> dict[str, Any]:
    found = {
        names.text: row.text,
        names.pair: row.pair,
        names.label: row.label,
        "annotator": row.annotator or None,
        "skipped": row.skipped or None,
        "at": iso(row.at),
        "seconds": row.seconds,
        "guess": row.guess,
        **row.also,
    }
    return {key: value for key, value in found.items() if value is not None}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)  # a number below 0 is no formula
    return defused(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


JSONL, CSV = Jsonl(), Csv()
