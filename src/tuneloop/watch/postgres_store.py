"""Events in PostgreSQL, where several servers share them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from tuneloop.core.errors import MissingExtraError, StorageError
from tuneloop.core.i18n import t
from tuneloop.watch.sql_store import SqlStore

CONNECT_S = 5
PATIENCE_S = 10
"""How long a silent network, or another writer's lock, is waited for."""

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
        try:
            import psycopg
        except ImportError as error:
            raise MissingExtraError(error.name or "psycopg", "postgres") from None
        self._psycopg, self._url = psycopg, url
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
            with suppress(self._psycopg.Error):
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
            self._open = self._psycopg.connect(
                self._url, autocommit=True, connect_timeout=CONNECT_S, tcp_user_timeout=1000 * PATIENCE_S
            )
            self._open.execute(f"SET lock_timeout = '{PATIENCE_S}s'")
        return self._open

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (self._psycopg.DataError, self._psycopg.IntegrityError):
            raise
        except self._psycopg.Error as error:
            self.close()
            parts = urlsplit(self._url)
            raise StorageError(
                t("The database {place} cannot be used: {error}",
                  place=f"{parts.hostname or ''}{parts.path}", error=" ".join(str(error).split())),
                t("Is it running, and may this user create tables there? The password is looked for in PGPASSWORD."),
            ) from error  # fmt: skip
