"""Events in a SQLite file beside the other parts of a workspace."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuneloop.core import fsio
from tuneloop.core.database import transaction
from tuneloop.core.errors import StorageError
from tuneloop.core.i18n import t
from tuneloop.watch.sql_store import SqlStore

BUSY_S = 10.0
"""How long a change waits for another process that is changing the file."""

UNFIT = (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError)
"""What says that a value does not fit, not that the disk refuses."""


class SqliteStore(SqlStore):
    """A file that its owner alone may read; write-ahead log, flushed at every commit.

    Args:
        path: made if it is not there.

    Raises:
        StorageError: if it cannot be opened or is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with fsio.storage_errors(path):
            fsio.make_dir(path.parent)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            with self._refusals():
                # full: a commit is on the disk, not only with the system; secure_delete: what is pruned is overwritten
                for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
                    self._database.execute(f"PRAGMA {setting}")
            with self._changing() as cursor:
                self._prepare(cursor, number="INTEGER PRIMARY KEY AUTOINCREMENT", real="REAL", bytes="BLOB")
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        self._database.close()

    def prune(self, before: float) -> int:
        went = super().prune(before)
        if went:
            with self._refusals():  # else what was pruned would go on standing in the log
                self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return went

    def _sql(self, statement: str) -> str:
        return statement

    def _whole(self, number: str) -> str:
        return f"CAST({number} AS INTEGER)"

    @contextmanager
    def _changing(self) -> Iterator[Any]:
        with self._refusals(), transaction(self._database):
            yield self._database.cursor()

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        with self._refusals():
            yield self._database.cursor()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except UNFIT:
            raise
        except sqlite3.Error as error:
            raise StorageError(
                t("The events in {path} cannot be read or written: {error}.", path=self.path, error=error),
                t("Look at the free space and the permissions there; if the file is damaged, move it away."),
            ) from error
