"""SQLite files, or PostgreSQL in their place: changes that count together, and what becomes of SQLite's errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuneloop.core import postgres
from tuneloop.core.errors import StorageError, TuneloopError
from tuneloop.core.fsio import make_dir, storage_errors
from tuneloop.core.i18n import t
from tuneloop.core.postgres import Tables

Database = sqlite3.Connection | Tables


@contextmanager
def transaction(database: Database) -> Iterator[Callable[..., Any]]:
    """What executes statements that count together; nothing of them stays if one fails.

    Args:
        database: with `isolation_level=None`; other writers wait from the first statement on.
    """
    if isinstance(database, Tables):
        with database.alone():
            yield database.execute
        return
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database.execute
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # a full disk has rolled back by itself
            database.execute("ROLLBACK")
        raise


@contextmanager
def opened(place: Path | str, schema: Mapping[str, str], *, busy_s: float) -> Iterator[Database]:
    """Tables in which each change is a transaction of its own, and is on the disk behind it; closed at the end.

    Args:
        place: a SQLite file, made if it is not there, with the folders above it; or the URL of PostgreSQL.
        schema: the name of each table and index, and how it is made if it is not there, in words that both know.
        busy_s: how long a change waits for another process that is changing the same.

    Raises:
        StorageError: if the folder cannot be made, or PostgreSQL refuses; errors of SQLite are raised as they are.
    """
    if isinstance(place, str):
        with postgres.opened(place, schema, busy_s=busy_s) as tables:
            yield tables
        return
    with _opened_file(place, schema, busy_s=busy_s) as file:
        yield file


@contextmanager
def _opened_file(path: Path, schema: Mapping[str, str], *, busy_s: float) -> Iterator[sqlite3.Connection]:
    with storage_errors(path):
        make_dir(path.parent)
    database = sqlite3.connect(path, timeout=busy_s, isolation_level=None)
    try:
        # extra: the folder is flushed too, so that a commit outlives a power cut
        database.execute("PRAGMA synchronous=EXTRA")
        known = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        if not schema.keys() <= known:
            with transaction(database) as run:
                for statement in schema.values():
                    run(statement)
        yield database
    finally:
        database.close()


@contextmanager
def database_errors(place: Path | str, hint: str, damaged: Callable[[str], TuneloopError]) -> Iterator[None]:
    """What SQLite or PostgreSQL says, as errors of ours.

    Args:
        place: the file, or the URL.
        hint: what to do where the file cannot be used.
        damaged: the error for a file that is no sound database, from what SQLite says of it.

    Raises:
        StorageError: if the file cannot be used.
    """
    if isinstance(place, str):
        with postgres.refusals(place):
            yield
        return
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StorageError(t("Cannot use {path}: {reason}.", path=place, reason=error), hint) from error
    except sqlite3.DatabaseError as error:
        raise damaged(str(error)) from error
