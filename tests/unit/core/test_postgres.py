"""The URL of PostgreSQL: where it is looked for, and that no password of it is ever told."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tuneloop.core.database import opened, transaction
from tuneloop.core.errors import ConfigError, StorageError, TuneloopError
from tuneloop.core.paths import Workspace
from tuneloop.core.postgres import place_of

TABLE = {"kept": "CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, at DOUBLE PRECISION NOT NULL)"}


def test_the_variable_comes_before_the_file_and_without_both_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path)
    monkeypatch.delenv("TUNELOOP_DATABASE", raising=False)
    assert workspace.database == ""
    (tmp_path / "database.url").write_text("postgresql://db/shared\n")
    assert workspace.database == "postgresql://db/shared"
    monkeypatch.setenv("TUNELOOP_DATABASE", "postgresql://ann:secret@other/db")
    assert workspace.database == "postgresql://ann:secret@other/db"


@pytest.mark.parametrize("url", ["postgresql://ann:secret@db/x", "postgresql://db/x?password=secret"])
def test_a_password_in_the_file_is_refused_and_not_told(url: str, tmp_path: Path) -> None:
    (tmp_path / "database.url").write_text(url)
    with pytest.raises(ConfigError, match="holds a password") as caught:
        _ = Workspace(tmp_path).database
    assert "secret" not in str(caught.value)


def test_another_database_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNELOOP_DATABASE", "mysql://ann:secret@db/x")
    with pytest.raises(ConfigError, match="TUNELOOP_DATABASE is no URL of PostgreSQL") as caught:
        _ = Workspace(tmp_path).database
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:secret@127.0.0.1:1/db",  # nobody listens there
        "postgresql://127.0.0.1:1/db?user=ann&password=secret",
        "postgresql://ann:se/cret@127.0.0.1:1/db",  # not encoded: libpq reads a port out of it
        "postgresql://ann:se%zzcret@127.0.0.1/db",
    ],
)
def test_whatever_is_wrong_no_password_is_told(url: str) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(TuneloopError) as caught, opened(url, TABLE, busy_s=1):
        pass
    told = f"{caught.value} {''.join(traceback.format_exception(caught.value))}"
    assert "secret" not in told and "cret@" not in told and "zzcret" not in told


def test_a_place_is_the_host_and_the_database(postgres: str) -> None:
    assert place_of("postgresql://ann:secret@db.example/x?sslmode=require") == "db.example/x"
    with pytest.raises(StorageError, match="division by zero"), opened(postgres, TABLE, busy_s=5) as tables:
        tables.execute("SELECT 1 / 0")


def test_statements_that_count_together_stay_or_go_together(postgres: str) -> None:
    with opened(postgres, TABLE, busy_s=5) as tables:
        with transaction(tables) as run:
            run("INSERT INTO kept VALUES (?, ?)", ("a", 1_700_000_000.123456))
        with pytest.raises(RuntimeError), transaction(tables) as run:
            run("DELETE FROM kept")
            raise RuntimeError
    with opened(postgres, TABLE, busy_s=5) as tables:
        assert tables.execute("SELECT name, at FROM kept").fetchall() == [("a", 1_700_000_000.123456)]


def test_who_waits_too_long_for_another_is_told(postgres: str) -> None:
    with opened(postgres, TABLE, busy_s=5) as first, transaction(first) as run:
        run("INSERT INTO kept VALUES (?, ?)", ("a", 1.0))
        with (
            pytest.raises(StorageError, match="lock timeout"),
            opened(postgres, TABLE, busy_s=0.05) as second,
            transaction(second),
        ):
            pass
