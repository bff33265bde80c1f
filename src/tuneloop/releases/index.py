"""The index of releases in SQLite or PostgreSQL: a release exists once its row does."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from tuneloop.core.database import Database, opened, transaction
from tuneloop.core.errors import ReleaseError, StorageError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace, check_id
from tuneloop.releases.manifest import verify

SCHEMA = {
    "releases": "CREATE TABLE IF NOT EXISTS releases (id TEXT PRIMARY KEY, run TEXT NOT NULL, data_hash TEXT NOT NULL,"
    " created TEXT NOT NULL, engine TEXT NOT NULL)",
    "numbers": "CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, last INTEGER NOT NULL)",
}


@dataclass(frozen=True)
class Row:
    """One release and where it comes from: data hash, run, release."""

    id: str
    run: str
    data_hash: str
    created: str
    engine: str


def row_of(info: dict[str, Any]) -> Row:
    """The row of a release.json."""
    return Row(*(str(info[key]) for key in ("id", "run", "data_hash", "created", "engine")))


def next_id(name: str, workspace: Workspace) -> str:
    """A release id that nobody else gets; a number lost in a crash is never used again."""
    with _connect(workspace) as database, transaction(database) as run:
        found = run("SELECT last FROM numbers WHERE name = ?", (name,)).fetchone()
        last = max([found[0] if found else 0, *_numbers_on_disk(name, workspace)])
        run("INSERT INTO numbers VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET last = excluded.last", (name, last + 1))
    return check_id(f"{name}-{last + 1}")


def insert(row: Row, workspace: Workspace) -> None:
    """Make a release visible: the commit point of writing one."""
    with _connect(workspace) as database:
        database.execute("INSERT INTO releases VALUES (?, ?, ?, ?, ?)", astuple(row))


def enter(row: Row, workspace: Workspace) -> None:
    """Have the row of a release that was made elsewhere; where it is there already, nothing changes."""
    with _connect(workspace) as database:
        database.execute("INSERT INTO releases VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING", astuple(row))


def withdraw(release_id: str, workspace: Workspace) -> None:
    """Make certain that a release has no row, also where the disk refused while it was inserted."""
    with _connect(workspace) as database:
        database.execute("DELETE FROM releases WHERE id = ?", (release_id,))


def rows(workspace: Workspace) -> list[Row]:
    """All releases, the oldest first; those of one model by number, as the clock may have been set back."""
    if not workspace.database and not workspace.index.exists():
        return []
    with _connect(workspace) as database:
        found = [Row(*each) for each in database.execute("SELECT * FROM releases ORDER BY created, id")]
    by_number = {model: iter(sorted(each, key=_number)) for model, each in _by_model(found).items()}
    return [next(by_number[model_of(row.id)]) for row in found]


def find(release_id: str, workspace: Workspace) -> Row:
    """The row of a release.

    Raises:
        ReleaseError: if there is no such release.
    """
    check_id(release_id)
    for row in rows(workspace):
        if row.id == release_id:
            return row
    raise ReleaseError(
        t("There is no release {name}.", name=release_id), t("List what exists with: tuneloop releases list")
    )


def newest(name: str, workspace: Workspace) -> str:
    """The release with this id, or the newest one of the model with this name.

    Raises:
        ReleaseError: if there is neither.
    """
    found = rows(workspace)
    if any(row.id == name for row in found):
        return name
    made = of_model(name, found)
    return made[-1] if made else find(name, workspace).id


def model_of(release_id: str) -> str:
    """The name of the model that a release is one of."""
    return release_id.rpartition("-")[0]


def of_model(name: str, among: Sequence[Row]) -> list[str]:
    """Ids of the releases of a model, in the order of `rows`, the newest last."""
    return [row.id for row in among if re.fullmatch(re.escape(name) + r"-\d+", row.id)]


def reindex(workspace: Workspace) -> list[Row]:
    """Rebuild the table from the folders; a damaged folder is left out. Returns the rows."""
    with _connect(workspace) as database, transaction(database) as run:
        run("DELETE FROM releases")
        for folder in sorted(workspace.releases.glob("[a-z0-9]*")):
            try:
                verify(folder)
                row = row_of(json.loads((folder / "release.json").read_text(encoding="utf-8")))
            except (ReleaseError, OSError, ValueError, KeyError):
                continue
            if row.id == folder.name:
                run("INSERT INTO releases VALUES (?, ?, ?, ?, ?)", astuple(row))
    return rows(workspace)


def _number(row: Row) -> tuple[int, str]:
    digits = row.id.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0, row.id


def _by_model(found: list[Row]) -> dict[str, list[Row]]:
    models: dict[str, list[Row]] = {}
    for row in found:
        models.setdefault(model_of(row.id), []).append(row)
    return models


def _numbers_on_disk(name: str, workspace: Workspace) -> list[int]:
    pattern = re.compile(re.escape(name) + r"-(\d{1,9})")
    matches = (pattern.fullmatch(path.name) for path in workspace.releases.glob("*"))
    return [int(match[1]) for match in matches if match]


@contextmanager
def _connect(workspace: Workspace) -> Iterator[Database]:
    path: Path = workspace.index
    try:
        with opened(workspace.database or path, SCHEMA, busy_s=60) as database:
            # No write-ahead log: reading must also be possible on a full or read-only disk, where its files cannot be
            # made. An earlier version had one; while others have the file open, it stays so.
            if isinstance(database, sqlite3.Connection):
                with suppress(sqlite3.OperationalError):
                    database.execute("PRAGMA journal_mode=DELETE")
            yield database
    except sqlite3.DatabaseError as error:
        raise StorageError(
            t("The index {path} cannot be used: {reason}.", path=path, reason=error),
            t("Free some space; if the file is damaged, move it away and run: tuneloop releases reindex"),
        ) from error
