"""Parquet files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.mapped import Column
from tuneloop.data.readers.table import Table

AT_ONCE = 10_000
"""Rows that are in memory together as Python's values."""


def read_parquet(path: Path, *, encoding: str = "auto", split: str = "train") -> Table:
    """The rows of a Parquet file, numbered from 1.

    Raises:
        DataError: if it is empty, damaged, or has two columns of one name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.stat().st_size == 0:
        raise DataError(t("{file} is empty.", file=path.name), t("Write it again."))
    try:
        # a memory map would hold the file open; ParquetFile does not look for partitions in the path
        with pq.ParquetFile(path) as file:
            return from_batches(path, file.schema_arrow.names, file.iter_batches(AT_ONCE))
    except PermissionError:
        raise
    # damaged pages show themselves as texts that are no UTF-8, or as dates out of range
    except (pa.ArrowException, OSError, UnicodeDecodeError, ValueError, OverflowError) as error:
        raise DataError(
            t("{file} is not a readable Parquet file: {error}", file=path.name, error=_first_line(error)),
            t("It may be cut short or of another format; write or copy it again."),
        ) from None


def from_batches(path: Path, names: list[str], batches: Iterable[Any]) -> Table:
    """Arrow's record batches as a `Table` of plain Python values.

    Raises:
        DataError: if two columns have one name.
    """
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(
            t('{file}: two columns are called "{name}".', file=path.name, name=twice), t("Rename one of them.")
        )
    columns, rows = [Column() for _ in names], 0
    for batch in batches:
        rows += batch.num_rows
        for column, values in zip(columns, batch.columns, strict=True):
            column.extend(values.to_pylist())
    return Table(path, {name: each.values() for name, each in zip(names, columns, strict=True)}, range(1, rows + 1))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
