"""What Watch counts: once for all tabs, from the store that the project names, SQLite or PostgreSQL."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.streams import events
from tuneloop.core.paths import Workspace
from tuneloop.core.watching import WatchConfig
from tuneloop.studio.pages.watch_counts import Counted, Counting, counting
from tuneloop.studio.state import Studio
from tuneloop.watch.base import Event, Feedback
from tuneloop.watch.store import EventStore, open_store


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres"))


@pytest.fixture
def studio(tmp_path: Path, url: str) -> Studio:
    config = tmp_path / "tuneloop.yaml"
    config.write_text(json.dumps({"data": {"source": "x.csv"}, "watch": {"store": url}}))
    return Studio(config)


@pytest.fixture
def store(studio: Studio, url: str) -> Iterator[EventStore]:
    opened = open_store(WatchConfig(store=url), Workspace(studio.base / ".tuneloop"))  # type: ignore[call-arg]
    yield opened
    opened.close()


def recent(n: int, *, first: int = 0, release: str = "m-1") -> list[Event]:
    """Events of the last minutes, a second apart."""
    begin = time.time() - n
    made = events(n, seed=first, first=first)
    return [replace(each, at=begin + row, release=release, id=f"{release}.{each.id}") for row, each in enumerate(made)]


def test_what_comes_is_seen_by_the_next_look(studio: Studio, store: EventStore) -> None:
    seen = counting(studio)
    assert counting(studio) is seen and seen.look("m-1", "1h").events == 0
    given = recent(60)
    store.add_events(given)
    store.add_feedback([Feedback("k", given[0].id, None, True, time.time())])
    found = seen.look("m-1", "1h")
    assert found.events == 60 and found.said == 1 and found.measured.value == 1.0
    assert found.newest is not None and found.newest.id == given[-1].id
    before = [row.labels.total() for row in found.rows]
    store.add_events([*recent(30, first=60), *recent(20, release="m-2")])
    assert seen.look("m-1", "1h").events == 90
    assert [row.labels.total() for row in found.rows] == before  # what a page holds does not change under it
    assert seen.look("m-2", "24h").events == 20 and seen.look("m-1", "all").events == 90
    assert seen.newest("m-2") is not None and seen.newest("m-3") is None
    assert found.took_ms[0] is not None and found.took_ms[0] <= (found.took_ms[2] or 0)


def test_a_project_that_names_no_store_and_has_no_file_shows_nothing(tmp_path: Path) -> None:
    seen = Counting(Studio(tmp_path / "tuneloop.yaml"))
    assert seen.look("m-1", "all") == Counted() and seen.newest("m-1") is None
    assert not (tmp_path / ".tuneloop").exists()
