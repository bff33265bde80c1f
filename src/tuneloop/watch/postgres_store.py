"""Events in PostgreSQL, where several servers share them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tuneloop.core import postgres
from tuneloop.watch.sql_store import SqlStore

BUSY_S = 10
"""How long another writer's lock is waited for."""

LOCK = 0x74756E65
"""Number of the lock under which rows get their numbers: what is committed later has the higher number."""


class PostgresStore(SqlStore):
    """Tables `tuneloop_events` and `tuneloop_feedback`; a lost connection is opened again with the next call.

    Args:
        url: postgresql://HOST/DATABASE; user, password and encryption also as libpq finds them (PGUSER, PGPASSWORD).

    Raises:
        StorageError: if the database cannot be reached or refuses.
        MissingExtraError: if psycopg is not installed.
    """

    def __init__(self, url: str) -> None:
        psycopg = postgres.library()
        self._url, self._unfit, self._error = url, (psycopg.DataError, psycopg.IntegrityError), psycopg.Error
        self._open: Any = None
        try:
            with self._changing() as cursor:
                number = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
                self._prepare(cursor, number=number, real="DOUBLE PRECISION", bytes="BYTEA")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._open is not None:
            with suppress(self._error):
                self._open.close()
            self._open = None

    def _sql(self, statement: str) -> str:
        return statement.replace("?", "%s")

    def _whole(self, number: str) -> str:
        return f"CAST(FLOOR({number}) AS BIGINT)"  # a cast alone would round

    @contextmanager
    def _changing(self) -> Iterator[Any]:
        with self._refusals(), self._connection().transaction(), self._connection().cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            yield cursor

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        with self._refusals(), self._connection().cursor() as cursor:
            yield cursor

    def _connection(self) -> Any:
        if self._open is None:
            self._open = postgres.connect(self._url, busy_s=BUSY_S)
        return self._open

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Values that do not fit are the caller's matter; after anything else the connection is opened anew."""
        with postgres.refusals(self._url, but=self._unfit):
            try:
                yield
            except self._unfit:
                raise
            except self._error:
                self.close()
                raise
