"""Columns between tabs in which quotes are ordinary characters, as in the files of GLUE."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.encoding import decode, refuse_nul
from tuneloop.data.readers.table import Table, place


def read_plain_tsv(
    path: Path, *, encoding: str = "auto", split: str = "train", names: Sequence[str] = (), skip_ragged: bool = False
) -> Table:
    """A table of one row per line.

    Args:
        path: the file.
        encoding: a name, or auto.
        split: of no matter here.
        names: what the columns are called, for a file whose first line is a row already.
        skip_ragged: leave out lines with another number of fields, instead of refusing the file.

    Raises:
        DataError: with the line, at the first thing that is wrong.
    """
    text, name = decode(path.read_bytes(), path=path, encoding=encoding)
    refuse_nul(text, path=path)
    lines = [(number, line.removesuffix("\r")) for number, line in enumerate(text.split("\n"), 1)]
    lines = [(number, line) for number, line in lines if line.strip()]
    if not lines:
        raise DataError(t("{file} is empty.", file=path.name), t("Give a file with a header and rows."))
    header = list(names) or [field.strip() for field in lines.pop(0)[1].split("\t")]
    columns: list[list[str]] = [[] for _ in header]
    rows = array("q")
    for number, line in lines:
        fields = line.split("\t")
        if len(fields) != len(header):
            if skip_ragged:
                continue
            raise _ragged(place(path, number), len(fields), len(header))
        for column, value in zip(columns, fields, strict=True):
            column.append(value)
        rows.append(number)
    named: dict[str, list[Any]] = dict(zip(header, columns, strict=True))
    return Table(path, named, rows, None, name)


def _ragged(where: str, found: int, expected: int) -> DataError:
    return DataError(
        t("{place} has {found} fields, but there are {expected} columns.", place=where, found=found, expected=expected),
        t("Correct the line, or put the original file there again."),
    )
