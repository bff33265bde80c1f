"""SQLite files: changes that count together, and what becomes of SQLite's errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tuneloop.core.errors import StorageError, TuneloopError
from tuneloop.core.i18n import t


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[Callable[..., sqlite3.Cursor]]:
    """What executes statements that count together; nothing of them stays if one fails.

    Args:
        database: with `isolation_level=None`; other writers wait from the first statement on.
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database.execute
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # a full disk has rolled back by itself
            database.execute("ROLLBACK")
        raise


@contextmanager
def database_errors(path: Path, hint: str, damaged: Callable[[str], TuneloopError]) -> Iterator[None]:
    """What SQLite says of a file, as errors of ours.

    Args:
        hint: what to do where the file cannot be used.
        damaged: the error for a file that is no sound database, from what SQLite says of it.

    Raises:
        StorageError: if the file cannot be used.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StorageError(t("Cannot use {path}: {reason}.", path=path, reason=error), hint) from error
    except sqlite3.DatabaseError as error:
        raise damaged(str(error)) from error
