"""Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.mapped import Column
from tuneloop.data.readers.table import Table


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
            return from_arrow(path, file.read())
    except PermissionError:
        raise
    # damaged pages show themselves as texts that are no UTF-8, or as dates out of range
    except (pa.ArrowException, OSError, UnicodeDecodeError, ValueError, OverflowError) as error:
        raise DataError(
            t("{file} is not a readable Parquet file: {error}", file=path.name, error=_first_line(error)),
            t("It may be cut short or of another format; write or copy it again."),
        ) from None


def from_arrow(path: Path, table: Any) -> Table:
    """An Arrow table as a `Table` of plain Python values.

    Raises:
        DataError: if two columns have one name.
    """
    names = table.column_names
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(
            t('{file}: two columns are called "{name}".', file=path.name, name=twice), t("Rename one of them.")
        )
    columns = {
        name: Column(value for chunk in table.column(name).chunks for value in chunk.to_pylist()).values()
        for name in names
    }
    return Table(path, columns, range(1, table.num_rows + 1))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
