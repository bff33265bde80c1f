"""Both stores keep the same promises."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tuneloop.core.errors import StorageError
from tuneloop.watch.base import Event, Feedback
from tuneloop.watch.sql_store import PORTION, SqlStore
from tuneloop.watch.sqlite_store import SqliteStore
from tuneloop.watch.store import EventStore, Verdict, Wanted

Open = Callable[[], EventStore]


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same empty store again and again."""
    made: list[EventStore] = []
    if request.param == "sqlite":

        def another() -> EventStore:
            return SqliteStore(tmp_path / "events.sqlite")
    else:
        url = request.getfixturevalue("postgres")
        from tuneloop.watch.postgres_store import PostgresStore

        def another() -> EventStore:
            return PostgresStore(url)

    def begin() -> EventStore:
        made.append(another())
        return made[-1]

    yield begin
    for store in made:
        store.close()


def event(name: str, at: float = 1.0, release: str = "m-1") -> Event:
    return Event(name, at, release, "0f", "yes", 0.75, {"no": 0.25, "yes": 0.75}, chars=3, language="zh")


def said(key: str, name: str, at: float = 2.0, digest: str = "d") -> Feedback:
    return Feedback(key, name, "no", None, at, digest=digest)


def test_what_is_kept_comes_back_as_it_was_in_another_process(opened: Open) -> None:
    full = Event(
        "r.0", 12.5, "m-1", "ab", None, None, {}, chars=2, language="zh", took_ms=1.25, text="好 'x' \U0001f600",
        pair="%s ?", vector=(0.5, -1.25), abstained=True, rules=("one", "two"), tags={"country": "de"},
    )  # fmt: skip
    store = opened()
    store.add_events([full, event("r.1")])
    given = Feedback("k", "r.0", None, False, 13.0, "ann", "好", "d")
    (receipt,) = store.add_feedback([given])
    again = opened()
    assert list(again.events()) == [full, event("r.1")]
    assert [each.number for each in again.events()] == [1, 2]
    assert list(again.feedback()) == [(given, full)] and receipt.feedback == given
    counts = again.counts()
    assert (counts.events, counts.feedback, counts.first_at, counts.last_at) == (2, 1, 1.0, 12.5)


def test_feedback_is_new_once_and_known_for_ever(opened: Open) -> None:
    store = opened()
    store.add_events([event("r.0")])
    first = store.add_feedback([said("k", "r.0"), said("k", "r.0", at=9.0), said("k", "r.0", digest="e")])
    assert [each.verdict for each in first] == [Verdict.NEW, Verdict.SAME, Verdict.OTHER]
    assert first[1].feedback is not None and first[1].feedback.at == 2.0
    assert store.add_feedback([said("other", "nowhere.0")])[0].verdict is Verdict.UNKNOWN
    assert opened().add_feedback([said("k", "r.0", at=11.0)])[0].feedback == first[0].feedback
    assert len(list(store.feedback())) == 1


def test_an_event_that_is_written_again_is_there_once(opened: Open) -> None:
    store = opened()
    store.add_events([event("r.0"), event("r.1")])
    store.add_events([event("r.1", at=5.0), event("r.2")])
    assert [(each.id, each.at) for each in store.events()] == [("r.0", 1.0), ("r.1", 1.0), ("r.2", 1.0)]


def test_a_clock_that_is_set_back_reorders_nothing(opened: Open) -> None:
    store = opened()
    for name, at in (("r.0", 100.0), ("r.1", 50.0), ("r.2", 75.0)):
        store.add_events([event(name, at)])
        store.add_feedback([said(f"k{name}", name, at=at)])
    assert [each.id for each in store.events()] == ["r.0", "r.1", "r.2"]
    assert [about.id for _, about in store.feedback()] == ["r.0", "r.1", "r.2"]
    (middle,) = store.events(Wanted(since=50.0, until=75.0))
    assert middle.id == "r.1"
    assert [each.id for each in store.events(Wanted(after=middle.number))] == ["r.2"]


def test_reading_goes_in_portions_and_meets_every_event_once(opened: Open) -> None:
    store = opened()
    names = [f"r.{number}" for number in range(2 * PORTION + 3)]
    store.add_events([event(name, release=f"m-{number % 2}") for number, name in enumerate(names)])
    reading = store.events()
    seen = [next(reading).id]
    opened().add_events([event("late.0")])
    seen += [each.id for each in reading]
    assert seen == [*names, "late.0"]
    assert [each.id for each in store.events(Wanted(newest_first=True))] == seen[::-1]
    assert [each.id for each in store.events(Wanted(release="m-1", limit=PORTION + 1))] == names[1::2][: PORTION + 1]
    assert [each.id for each in store.events(Wanted(newest_first=True, limit=2))] == ["late.0", names[-1]]


def test_old_events_go_with_their_feedback_but_not_under_a_late_word(opened: Open) -> None:
    store = opened()
    store.add_events([event("old.0", 10.0), event("judged.0", 10.0), event("late.0", 10.0), event("new.0", 99.0)])
    store.add_feedback([said("a", "judged.0", at=11.0), said("b", "late.0", at=60.0)])
    assert store.prune(50.0) == 2
    assert [each.id for each in store.events()] == ["late.0", "new.0"]
    assert [each.key for each, _ in store.feedback()] == ["b"]
    store.add_events([event("after.0")])
    assert [each.number for each in store.events()] == [3, 4, 5]  # no number is given twice
    assert store.prune(0.0) == 0


def test_what_does_not_fit_leaves_nothing_and_the_store_goes_on(opened: Open) -> None:
    store = opened()
    broken = replace(event("r.1"), text="\ud800")
    with pytest.raises(Exception, match=r"surrogates|encode") as caught:
        store.add_events([event("r.0"), broken])
    assert not isinstance(caught.value, StorageError)
    store.add_events([event("r.2")])
    assert [each.id for each in store.events()] == ["r.2"]


def test_writers_side_by_side_lose_nothing_and_double_nothing(opened: Open) -> None:
    opened().add_events([event("r.0")])
    stores, verdicts = [opened() for _ in range(3)], []

    def work(number: int) -> None:
        for turn in range(20):
            stores[number].add_events([event(f"{number}-{turn}.0")])
            verdicts.extend(each.verdict for each in stores[number].add_feedback([said(f"key {turn}", "r.0")]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(verdicts) == [Verdict.NEW] * 20 + [Verdict.SAME] * 40
    numbers = [each.number for each in opened().events()]
    assert len(numbers) == 61 and numbers == sorted(set(numbers))


def test_a_store_of_a_later_version_is_left_alone(opened: Open) -> None:
    store = opened()
    assert isinstance(store, SqlStore)
    with store._changing() as cursor:
        cursor.execute("UPDATE tuneloop_store SET version = 99")
    with pytest.raises(StorageError, match="99"):
        opened()


def test_a_lost_connection_is_opened_again(postgres: str) -> None:
    import psycopg

    from tuneloop.watch.postgres_store import PostgresStore

    store = PostgresStore(postgres)
    with psycopg.connect(postgres, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    with pytest.raises(StorageError, match="cannot be used"):
        store.counts()
    assert store.counts().events >= 0
    store.close()


def test_a_file_that_is_none_and_a_server_that_is_not_there_are_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    path.write_bytes(b"no database " * 100)
    with pytest.raises(StorageError, match="not a database"):
        SqliteStore(path)
    pytest.importorskip("psycopg")
    from tuneloop.watch.postgres_store import PostgresStore

    with pytest.raises(StorageError, match="/db cannot be used") as caught:
        PostgresStore(f"postgresql://ann:secret@/db?host={tmp_path}")
    assert "secret" not in str(caught.value)


def test_the_file_is_its_owners_and_what_went_is_overwritten(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "events.sqlite")
    store.add_events([replace(event("r.0"), text="a very private sentence")])
    assert store.path.stat().st_mode & 0o077 == 0
    with sqlite3.connect(store.path) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    store.prune(50.0)
    store.close()
    assert all(b"private" not in file.read_bytes() for file in tmp_path.iterdir())
