"""PostgreSQL in the place of a workspace's SQLite files: its URL, a connection, and errors that tell no password."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tuneloop.core.errors import ConfigError, MissingExtraError, StorageError
from tuneloop.core.i18n import t

VARIABLE = "TUNELOOP_DATABASE"
FILE = "database.url"
"""Holds the URL in a workspace whose users shall not have to know it."""

SCHEMES = ("postgresql", "postgres")
CONNECT_S = 5
SILENCE_S = 10
"""How long a silent network is waited for."""

SCHEMA = "tuneloop"
"""Where the tables lie that are files of a workspace otherwise."""

LOCK = 0x74756E66
"""Number of the lock under which they are changed: as in a SQLite file, by one at a time."""


def find_url(workspace: Path) -> str:
    """The URL that TUNELOOP_DATABASE or the file database.url of a workspace gives; empty without one.

    Raises:
        ConfigError: if it is none, or a password stands in the file.
    """
    url, place = os.environ.get(VARIABLE, "").strip(), VARIABLE
    if not url:
        file = workspace / FILE
        if not file.is_file():
            return ""
        url, place = file.read_text(encoding="utf-8").strip(), str(file)
        if has_password(url):
            raise ConfigError(
                t("{place} holds a password.", place=place),
                t("Put it into the variable PGPASSWORD or the file .pgpass."),
            )
    if url.partition("://")[0] not in SCHEMES:
        raise ConfigError(t("{place} is no URL of PostgreSQL.", place=place), t("Write postgresql://HOST/DATABASE."))
    return url


def has_password(url: str) -> bool:
    """Whether a password stands in a URL; one that was not encoded may hold any sign."""
    user = url.partition("://")[2].rpartition("@")[0]
    return ":" in user or "password" in parse_qs(urlsplit(url).query)


def place_of(url: str) -> str:
    """The host and the database that a URL names, and nothing else of it.

    Raises:
        ConfigError: if PostgreSQL cannot read it; what stands in it is not told.
    """
    parts = _parts(url)
    return f"{parts.get('host', '')}/{parts.get('dbname', '')}"


def connect(url: str, *, busy_s: float) -> Any:
    """A psycopg connection in which each statement counts by itself.

    Args:
        busy_s: how long another's lock is waited for.

    Raises:
        MissingExtraError: if psycopg is not installed.
        ConfigError: if the URL cannot be read.
    """
    psycopg = library()
    _parts(url)
    made = psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_S, tcp_user_timeout=1000 * SILENCE_S)
    made.execute(f"SET lock_timeout = '{busy_s}s'")
    return made


@contextmanager
def refusals(url: str, *, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """What the database refuses, as an error of ours that says where.

    Args:
        but: errors of psycopg that are raised as they are.

    Raises:
        StorageError: if it cannot be reached or refuses.
    """
    psycopg = library()
    try:
        yield
    except but:
        raise
    except psycopg.Error as error:
        said, password = " ".join(str(error).split()), _parts(url).get("password")
        raise StorageError(
            t("The database {place} cannot be used: {error}",
              place=place_of(url), error=said.replace(password, "***") if password else said),
            t("Is it running, and may this user create tables there? The password is looked for in PGPASSWORD."),
        ) from error  # fmt: skip


class Tables:
    """A connection that takes the statements of a SQLite file: `?` stands for a value."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """A cursor behind a statement."""
        return self._connection.execute(statement.replace("?", "%s"), values)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Statements that count together; other writers wait from the first on."""
        with self._connection.transaction():
            self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            yield


@contextmanager
def opened(url: str, schema: Mapping[str, str], *, busy_s: float) -> Iterator[Tables]:
    """Tables of a database in which each change is a transaction of its own; see `core.database.opened`.

    Raises:
        StorageError: if it cannot be reached or refuses.
    """
    with refusals(url), closing(connect(url, busy_s=busy_s)) as connection:
        tables = Tables(connection)
        tables.execute(f"SET search_path = {SCHEMA}")
        if not schema.keys() <= _known(tables):
            with tables.alone():
                if not tables.execute("SELECT 1 FROM pg_namespace WHERE nspname = ?", (SCHEMA,)).fetchone():
                    tables.execute(f"CREATE SCHEMA {SCHEMA}")
                for statement in schema.values():
                    tables.execute(statement)
        yield tables


def library() -> Any:
    """The package psycopg.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        import psycopg
    except ImportError as error:
        raise MissingExtraError(error.name or "psycopg", "postgres") from None
    return psycopg


def _known(tables: Tables) -> set[str]:
    found = tables.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = ? UNION SELECT indexname FROM pg_indexes"
        " WHERE schemaname = ?",
        (SCHEMA, SCHEMA),
    )
    return {name for (name,) in found}


def _parts(url: str) -> dict[str, Any]:
    psycopg = library()
    with suppress(psycopg.Error):
        parts = dict(psycopg.conninfo.conninfo_to_dict(url))
        path = url.partition("://")[2].partition("/")[2].partition("?")[0]
        if "@" not in path:  # a slash in a password makes its rest the name of a database, which is told
            return parts
    raise ConfigError(  # a sentence of libpq would quote the part that it cannot read, which may be the password
        t("The URL of the database cannot be read."),
        t("Write postgresql://USER:PASSWORD@HOST/DATABASE; in a password, / is %2F, @ is %40, : is %3A."),
    )
