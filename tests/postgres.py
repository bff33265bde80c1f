"""A real PostgreSQL on a folder of its own, where Debian's package is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

USER = "postgres"
"""PostgreSQL refuses to run as root; the package brings this user."""


def programs() -> Path | None:
    """Where initdb lies: on the path, or where Debian puts it."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").is_file()), None)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a database."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install tuneloop[postgres]")
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    root = os.geteuid() == 0
    who = {"user": USER, "group": USER, "extra_groups": []} if root else {}
    place = Path(tempfile.mkdtemp(prefix="pg"))  # short: the path of a socket may have 107 bytes
    if root:
        shutil.chown(place, USER, USER)
    data = place / "data"

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=place, timeout=60, **who)

    try:
        run(str(folder / "initdb"), "-D", str(data), "-U", "tuneloop", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {place} -c listen_addresses= -c fsync=off -c shared_buffers=16MB"
        run(str(folder / "pg_ctl"), "-D", str(data), "-w", "-l", str(place / "log"), "-o", options, "start")
        try:
            yield f"postgresql://tuneloop@/postgres?host={place}"
        finally:
            run(str(folder / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(place)


@pytest.fixture
def postgres(postgres_server: str) -> str:
    """The same, empty."""
    import psycopg

    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS tuneloop_feedback, tuneloop_events, tuneloop_store")
        connection.execute("DROP SCHEMA IF EXISTS tuneloop CASCADE")
    return postgres_server
