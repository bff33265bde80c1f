"""Changes of a SQLite file, all or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager


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
