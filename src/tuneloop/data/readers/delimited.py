"""CSV and TSV, strictly: a row that does not fit the header is an error, not a guess."""

from __future__ import annotations

import csv
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.encoding import ANY_LINE, read_lines
from tuneloop.data.mapped import Column
from tuneloop.data.readers.table import Table, place

DELIMITERS = ",;\t|"


def read_csv(path: Path, *, encoding: str = "auto", split: str = "train") -> Table:
    """A file whose first row names the columns; separated by commas, else by `;`, tab or `|`.

    Raises:
        DataError: with the row, at the first thing that is wrong.
    """
    header, lines, name = _opened(path, encoding)
    delimiter = next((mark for mark in DELIMITERS if mark in header), ",")
    return _read(path, lines, encoding=name, delimiter=delimiter)


def read_tsv(path: Path, *, encoding: str = "auto", split: str = "train") -> Table:
    """A file whose first row names the columns, separated by tabs.

    Raises:
        DataError: with the row, at the first thing that is wrong.
    """
    _, lines, name = _opened(path, encoding)
    return _read(path, lines, encoding=name, delimiter="\t")


def _opened(path: Path, encoding: str) -> tuple[str, Iterator[str], str]:
    """The line with the header, all lines, and the name of the encoding."""
    lines, name = read_lines(path, encoding=encoding, ends=ANY_LINE)
    before: list[str] = []
    for line in lines:
        before.append(line)
        if line.strip():
            return line, chain(before, lines), name
    raise DataError(t("{file} is empty.", file=path.name), t("Give a file with a header and rows."))


def _read(path: Path, lines: Iterator[str], *, encoding: str, delimiter: str) -> Table:
    records = _records(path, lines, delimiter)
    _, _, first = next(records)
    names = _header(path, first)
    columns = [Column() for _ in names]
    appends = [column.append for column in columns]
    rows, places = array("q"), array("q")
    for row, line, fields in records:
        if len(fields) != len(names):
            raise _ragged(place(path, row, line), len(fields), len(names))
        for append, value in zip(appends, fields, strict=True):
            append(value)
        rows.append(row)
        places.append(line)
    named = {name: column.values() for name, column in zip(names, columns, strict=True)}
    return Table(path, named, rows, places if places != rows else None, encoding)


def _records(path: Path, lines: Iterator[str], delimiter: str) -> Iterator[tuple[int, int, list[str]]]:
    """Row number, line number and fields of every record that is not blank."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    row, line = 0, 1
    with _any_field_size():
        while True:
            line = reader.line_num + 1
            row += 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise _unreadable(place(path, row, line), str(error)) from None
            if fields:
                yield row, line, fields


@contextmanager
def _any_field_size() -> Iterator[None]:
    """The csv module refuses fields above 128 KB; `data.max_text_chars` is the limit that counts."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _header(path: Path, fields: list[str]) -> list[str]:
    names = [field.strip() or f"column_{number}" for number, field in enumerate(fields, 1)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(
            t('{file}: two columns are called "{name}".', file=path.name, name=twice), t("Rename one of them.")
        )
    return names


def _unreadable(where: str, reason: str) -> DataError:
    if "unexpected end" in reason:
        return DataError(
            t("{place}: a quote is opened and never closed.", place=where),
            t('Close it, or double each quote inside a quoted text: "".'),
        )
    return DataError(
        t("{place}: a quoted text goes on after its closing quote.", place=where),
        t('Put the whole text in quotes and double each quote inside it: "".'),
    )


def _ragged(where: str, found: int, expected: int) -> DataError:
    return DataError(
        t("{place} has {found} fields, the header has {expected}.", place=where, found=found, expected=expected),
        t("Put texts that hold the separator in quotes, and check the quotes above this row."),
    )
