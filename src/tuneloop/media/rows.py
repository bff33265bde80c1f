"""The columns of a file as items: a text, files by their paths, values."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tuneloop.core.errors import DataError
from tuneloop.core.fusion import TEXT_ALONE
from tuneloop.core.i18n import t
from tuneloop.media import store
from tuneloop.media.decode import check
from tuneloop.media.items import compose

NOTHING = compose({})


class Named(Protocol):
    """Which column is what: `core.config.Columns`."""

    text: str
    image: str | None
    audio: str | None
    tabular: tuple[str, ...]


class Rows(Protocol):
    """`data.readers.table.Table`."""

    @property
    def path(self) -> Path:
        """The file."""

    def column(self, name: str, *, setting: str) -> Sequence[Any]:
        """The values of a column."""

    def place(self, index: int, column: str | None = None) -> str:
        """Where a row stands, for an error."""

    def __len__(self) -> int: ...


def item_parts(rows: Rows, columns: Named, *, folder: Path | None) -> list[dict[str, Any]]:
    """What each row has of text, files and values: see `items.compose`. Every file is opened once.

    Args:
        folder: the store in which files are kept; None holds them where they are, for this process.

    Raises:
        DataError: if a column is missing, or a file cannot be read or is not what it should be; with its place.
        MissingExtraError: if what opens such files is not installed.
    """
    found: list[dict[str, Any]] = [{} for _ in range(len(rows))]
    for row, value in enumerate(rows.column(columns.text, setting="data.columns.text") if columns.text else ()):
        if not isinstance(value, str | None):
            raise DataError(
                t("{place}: {value!r} is not a text.", place=rows.place(row, columns.text), value=str(value)[:60]),
                t("Put texts in quotes, or set {setting} to the column with the texts.", setting="data.columns.text"),
            )
        found[row]["text"] = value
    for kind in ("image", "audio"):
        name = getattr(columns, kind)
        if name is None:
            continue
        reader = _reader(kind, rows.path.parent, folder)
        for row, value in enumerate(rows.column(name, setting=f"data.columns.{kind}")):
            found[row][kind] = _at(rows.place(row, name), reader, value)
    values = {name: rows.column(name, setting="data.columns.tabular") for name in columns.tabular}
    for row, parts in enumerate(found):
        if values:
            parts["tabular"] = {name: each[row] for name, each in values.items()}
    return found


def items(rows: Rows, columns: Named, *, folder: Path | None) -> list[str]:
    """Each row as one item: see `item_parts`.

    Raises:
        DataError: if a row has nothing at all, too.
    """
    made = [compose(parts) for parts in item_parts(rows, columns, folder=folder)]
    _refuse_empty(made, rows)
    return made


def pairs(rows: Rows, columns: Named, *, folder: Path | None) -> tuple[list[str], list[str]]:
    """The text of each row as one item, and all else of it as another, which is to be found by the text."""
    parts = item_parts(rows, columns, folder=folder)
    texts = [compose({"text": each.get("text")}) for each in parts]
    others = [compose({name: value for name, value in each.items() if name != "text"}) for each in parts]
    _refuse_empty(texts, rows), _refuse_empty(others, rows)
    return texts, others


def item_of(given: Any, *, folder: Path | None = None, base: Path | None = None) -> str:
    """An item as a person writes it in Python: a text, or `{"text": ..., "image": a path or bytes, "tabular": {...}}`.

    Args:
        folder: the store in which files are kept; None keeps none.
        base: what relative paths start from; the current folder by default.

    Raises:
        DataError: if it is no such thing, or a file cannot be read.
    """
    if isinstance(given, str):
        return given
    if (
        not isinstance(given, Mapping)
        or not set(given) <= {"text", "image", "audio", "tabular"}
        or not isinstance(given.get("text"), str | None)
        or not isinstance(given.get("tabular"), Mapping | None)
    ):
        raise DataError(
            t("{given!r} is no item.", given=str(given)[:80]),
            t("Give a text, or a mapping with some of text, image, audio and tabular."),
        )
    parts = dict(given)
    for kind in {"image", "audio"} & set(parts):
        parts[kind] = _reader(kind, base or Path.cwd(), folder)(parts[kind])
    if (made := compose(parts)) == NOTHING:
        raise DataError(t("The item is empty."), t("Give a text, a file or values."))
    return made


def input_of(given: Any, reads: Sequence[str]) -> str | tuple[str, str]:
    """What a model judges, of what a person gives in Python: see `item_of`; of a pair, both.

    Args:
        reads: modalities that the model reads.

    Raises:
        DataError: as `item_of`, and if a model that judges texts alone is given more.
    """
    if isinstance(given, tuple):
        first, second = (input_of(each, reads) for each in given)
        return str(first), str(second)
    if not isinstance(given, Mapping):
        return given  # type: ignore[no-any-return]
    if tuple(reads) == TEXT_ALONE:
        raise DataError(t("This model judges texts alone."), t("Give a text."))
    return item_of(given)


def _reader(kind: str, base: Path, folder: Path | None) -> Callable[[Any], str | None]:
    """What makes a reference of a path or of bytes; each path is opened once."""
    known: dict[str, str] = {}

    def read(value: Any) -> str | None:
        if isinstance(value, bytes):
            check(kind, value)
            return store.keep(value, folder)
        name = "" if value is None else str(value).strip()
        if not name:
            return None
        if name not in known:
            path = base / os.path.expanduser(name)  # noqa: PTH111 - Path raises where there is no such user
            data = store.read(path)
            check(kind, data)
            known[name] = store.hold(path, data) if folder is None else store.keep(data, folder)
        return known[name]

    return read


def _at(place: str, read: Callable[[Any], str | None], value: Any) -> str | None:
    try:
        return read(value)
    except DataError as error:
        raise DataError(f"{place}: {error.problem}", error.hint) from None


def _refuse_empty(made: Sequence[str], rows: Rows) -> None:
    for row, item in enumerate(made):
        if item == NOTHING:
            raise DataError(
                t("{place}: the row has neither a text nor anything else to judge.", place=rows.place(row)),
                t("Fill it in, or leave the row out."),
            )
