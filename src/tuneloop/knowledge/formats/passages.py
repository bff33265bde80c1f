"""Tables of passages, such as frequent questions: a row is a part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.readers import read_table
from tuneloop.knowledge.documents import Part

TEXTS = ("text", "passage", "answer", "content")
TITLES = ("title", "question", "id")


def read_csv(path: Path) -> list[Part]:
    """The rows of a file with a header: a column text (or answer), and title (or question) or id if there is one.

    Raises:
        DataError: if there is no such column, or the file is damaged; with its row.
    """
    return _read(path, "csv")


def read_tsv(path: Path) -> list[Part]:
    """The same, separated by tabs."""
    return _read(path, "tsv")


def read_jsonl(path: Path) -> list[Part]:
    """The same, a JSON object on each line."""
    return _read(path, "jsonl")


def _read(path: Path, kind: str) -> list[Part]:
    table = read_table(path.name, base=path.parent, format=kind)
    names = {name.strip().casefold(): name for name in table.columns}
    text = next((names[name] for name in TEXTS if name in names), None)
    if text is None:
        raise DataError(
            t("{file}: it has none of the columns {known}.", file=path.name, known=", ".join(TEXTS)),
            t("Name the column of the passages text."),
        )
    titles = [table.columns[names[name]] for name in TITLES if name in names]
    parts = []
    for row, passage in enumerate(table.columns[text]):
        title = next((str(values[row]) for values in titles if not _empty(values[row])), str(table.rows[row]))
        if not _empty(passage):
            parts.append(Part(str(passage), " ".join(title.split()), whole=True))
    return parts


def _empty(value: Any) -> bool:
    return value is None or not str(value).strip()
