"""The thread that writes events: nothing waits for it, and nothing is lost without being counted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import pytest

from tuneloop.core.errors import StorageError
from tuneloop.core.watching import WatchConfig
from tuneloop.knowledge.reasons import Reason
from tuneloop.tasks.base import Prediction
from tuneloop.watch.base import Event, Feedback
from tuneloop.watch.making import Answered, EventMaker
from tuneloop.watch.sqlite_store import SqliteStore
from tuneloop.watch.store import Receipt, Verdict
from tuneloop.watch.writer import EventWriter, QueueFull

WAIT_S = 60
SECRET = b"s" * 32
PHONE = "138-0013-8000"


def answered(number: int = 0, text: str = "a text", at: float | None = None) -> Answered:
    found = Prediction("yes", {"no": 0.25, "yes": 0.75})
    return Answered(f"r.{number}", time.time() if at is None else at, "m-1", text, found, 1.0, {"no", "yes"})


class Sick(SqliteStore):
    """Refuses while `well` is not set; tells of every try; waits for `gate`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.well, self.gate, self.tries = threading.Event(), threading.Event(), Queue()  # type: ignore[var-annotated]
        self.well.set()
        self.gate.set()

    def add_events(self, batch: Sequence[Event]) -> None:
        self.tries.put(len(batch))
        assert self.gate.wait(WAIT_S)
        if not self.well.is_set():
            raise StorageError("Cannot write: the disk is full.")
        super().add_events(batch)

    def add_feedback(self, batch: Sequence[Feedback]) -> list[Receipt]:
        if not self.well.is_set():
            raise StorageError("Cannot write: the disk is full.")
        return super().add_feedback(batch)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Sick]:
    yield (opened := Sick(tmp_path / "events.sqlite"))
    opened.close()


@pytest.fixture
def begin(store: Sick, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., EventWriter]]:
    """Starts writers into the store, which stays open behind them."""
    monkeypatch.setattr(store, "close", lambda: None)
    monkeypatch.setattr("tuneloop.watch.writer.FIRST_PAUSE_S", 0.01)
    begun: list[EventWriter] = []

    def start(make: Any = None, **settings: Any) -> EventWriter:
        maker = make or EventMaker(WatchConfig(events="texts"), SECRET)
        writer = EventWriter(lambda: store, maker, **{"max_queue": 100, "keep_days": 90, **settings})
        writer.start()
        begun.append(writer)
        return writer

    yield start
    store.gate.set()
    for writer in begun:
        writer.close()
    monkeypatch.undo()


def give(writer: EventWriter, key: str, event: str) -> Receipt | Exception:
    told: Queue[Receipt | Exception] = Queue()
    writer.add_feedback(Feedback(key, event, "no", None, time.time(), digest="d"), told.put)
    return told.get(timeout=WAIT_S)


def test_what_was_added_is_there_when_the_writer_is_closed(begin, store) -> None:
    writer = begin(max_queue=5000)
    assert all(writer.add(answered(number)) for number in range(2000))
    writer.close()
    assert [each.id for each in store.events()] == [f"r.{number}" for number in range(2000)]
    assert writer.counts == {"written": 2000, "dropped": 0, "unfit": 0, "failed": 0} and writer.waiting == 0
    assert not writer.add(answered(9)) and writer.counts["dropped"] == 1


def test_while_the_disk_is_slow_what_does_not_fit_is_dropped_and_counted(begin, store) -> None:
    writer = begin(max_queue=10)
    store.gate.clear()
    assert writer.add(answered(0))
    store.tries.get(timeout=WAIT_S)  # the thread waits for the disk; nobody waits for the thread
    taken = [writer.add(answered(number)) for number in range(1, 50)]
    assert taken == [True] * 9 + [False] * 40
    store.gate.set()
    writer.close()
    assert [each.id for each in store.events()] == [f"r.{number}" for number in range(10)]
    assert (writer.counts["written"], writer.counts["dropped"]) == (10, 40)


def test_texts_that_wait_are_bounded_by_their_length_too(begin, store, monkeypatch) -> None:
    monkeypatch.setattr("tuneloop.watch.writer.MOST_CHARS", 25)
    writer = begin()
    store.gate.clear()
    assert [writer.add(answered(number, "0123456789")) for number in range(4)] == [True, True, False, False]
    store.gate.set()
    assert isinstance(give(writer, "k", "r.1"), Receipt)  # both are written behind it
    assert writer.add(answered(5, "0123456789"))


def test_feedback_finds_an_event_that_was_added_just_before_it(begin) -> None:
    writer = begin(max_queue=5000)
    for number in range(1500):  # three writes
        writer.add(answered(number))
    found = give(writer, "k", "r.1499")
    assert isinstance(found, Receipt) and found.verdict is Verdict.NEW
    again = give(writer, "k", "r.1499")
    assert isinstance(again, Receipt) and again.verdict is Verdict.SAME and again.feedback == found.feedback
    missing = give(writer, "other", "r.2000")
    assert isinstance(missing, Receipt) and missing.verdict is Verdict.UNKNOWN


def test_a_full_disk_is_logged_once_and_what_waits_is_written_later(begin, store, caplog) -> None:
    writer = begin()
    store.well.clear()
    with caplog.at_level(logging.ERROR, "tuneloop.watch"):
        writer.add(answered(0))
        for _ in range(4):
            store.tries.get(timeout=WAIT_S)
        assert isinstance(give(writer, "k", "r.0"), StorageError)  # nobody is left waiting, nothing acknowledged
    assert len([each for each in caplog.records if "disk is full" in each.message]) == 1
    assert writer.counts["failed"] >= 3 and writer.counts["written"] == 0
    store.well.set()
    found = give(writer, "k", "r.0")
    assert isinstance(found, Receipt) and found.verdict is Verdict.NEW
    writer.close()
    assert [each.id for each in store.events()] == ["r.0"] and writer.counts["written"] == 1


def test_at_the_end_a_sick_disk_is_not_waited_for_and_the_loss_is_counted(begin, store, caplog) -> None:
    writer = begin()
    store.well.clear()
    with caplog.at_level(logging.ERROR, "tuneloop.watch"):
        for number in range(3):
            writer.add(answered(number))
        writer.close()
    assert not writer._thread.is_alive()
    assert (writer.counts["dropped"], writer.counts["written"], writer.waiting) == (3, 0, 0)
    assert "3 events are lost" in caplog.text


def test_one_event_that_fits_no_store_costs_no_other(begin, store, caplog) -> None:
    def make(given: Answered) -> Event:
        if given.id == "r.1":
            raise ValueError("secret text")
        text = "\ud800" if given.id == "r.2" else "a"
        return Event(given.id, given.at, "m-1", "0f", None, None, text=text)

    writer = begin(make)
    for number in range(5):
        writer.add(answered(number))
    writer.close()
    assert [each.id for each in store.events()] == ["r.0", "r.3", "r.4"]
    assert (writer.counts["written"], writer.counts["unfit"]) == (3, 2)
    assert "secret" not in caplog.text and "ValueError" in caplog.text


def test_feedback_that_waits_is_bounded(begin, store, monkeypatch) -> None:
    monkeypatch.setattr("tuneloop.watch.writer.MOST_FEEDBACK", 2)
    writer = begin()
    store.gate.clear()
    writer.add(answered(0))
    store.tries.get(timeout=WAIT_S)
    told: Queue[Any] = Queue()
    for number in range(2):
        writer.add_feedback(Feedback(str(number), "r.0", "no", None, 1.0, digest="d"), told.put)
    with pytest.raises(QueueFull):
        writer.add_feedback(Feedback("2", "r.0", "no", None, 1.0, digest="d"), told.put)
    store.gate.set()
    assert [told.get(timeout=WAIT_S).verdict for _ in range(2)] == [Verdict.NEW] * 2


def test_old_events_go_when_the_writer_starts(begin, store) -> None:
    now = time.time()
    store.add_events([EventMaker(WatchConfig(events="hashes"), SECRET)(answered(0, at=now - 3 * 86_400))])
    store.add_events([EventMaker(WatchConfig(events="hashes"), SECRET)(answered(1, at=now - 1 * 86_400))])
    begin(keep_days=2).close()
    assert [each.id for each in store.events()] == ["r.1"]


def test_a_store_that_cannot_be_opened_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    path.mkdir()
    writer = EventWriter(lambda: SqliteStore(path), lambda _: None, max_queue=1, keep_days=1)  # type: ignore[arg-type, return-value]
    with pytest.raises(StorageError, match=r"events\.sqlite"):
        writer.start()
    writer.close()


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("mode", ["hashes", "vectors", "texts"])
def test_an_event_holds_no_more_than_the_configuration_allows(mode: Any, raw: bool) -> None:
    reason = Reason("r1", "no", "yes", matched="call me", because="b")
    found = Prediction(
        "yes",
        {"no": 0.25, "yes": 0.75},
        because=(reason, reason, replace(reason, rule="r2", flag=True)),
        outside=0.99,
        abstained=True,
    )
    given = Answered(
        "r.0", 5.0, "m-1", (f"call {PHONE}", f"or {PHONE}"), found, 1.23456, {"no", "yes"},
        np.array([0.5, 2.0], np.float32), {"line": PHONE},
    )  # fmt: skip
    event = EventMaker(WatchConfig(events=mode, raw=raw), SECRET)(given)
    assert (event.label, event.confidence, event.abstained, event.rules) == ("yes", 0.75, True, ("r1",))
    assert (event.took_ms, event.language, event.vector) == (1.235, "en", (0.5, 2.0))
    assert (event.text is not None, event.pair is not None) == ((mode == "texts"),) * 2
    assert (PHONE in repr(event)) == raw and "call me" not in repr(event)
    other = EventMaker(WatchConfig(events=mode), b"t" * 32)(given)
    assert event.hash != other.hash and event.hash == EventMaker(WatchConfig(events=mode), SECRET)(given).hash


def test_an_answer_that_repeats_the_request_is_not_kept() -> None:
    maker = EventMaker(WatchConfig(events="hashes"), SECRET)
    choice = Prediction("my secret", {"my secret": 0.9, "other secret": 0.1})
    event = maker(Answered("r.0", 1.0, "m-1", ("q", "my secret\nother secret"), choice, 1.0))
    assert "secret" not in repr(event) and event.confidence == 0.9 and event.label is None
    written = maker(Answered("r.0", 1.0, "m-1", "天气好吗？", Prediction("my secret", {}), 1.0))
    assert "secret" not in repr(written) and written.confidence is None and written.language == "zh"
