"""Events and feedback are written by the thread that the server writes them with."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from torture.harness import Broken, Report, Victim
from torture.invariants import once, rows_of
from tuneloop.core.watching import WatchConfig
from tuneloop.tasks.base import Prediction
from tuneloop.watch.base import Event, Feedback
from tuneloop.watch.making import Answered, EventMaker
from tuneloop.watch.sqlite_store import SqliteStore
from tuneloop.watch.store import EventStore, Receipt, Verdict
from tuneloop.watch.writer import EventWriter

TURNS, EVENTS = 8, 5
WAIT_S = 60.0
LABELS = frozenset({"yes", "no"})
NEWEST = "SELECT id FROM tuneloop_events ORDER BY rowid DESC LIMIT 1"


def feedback_of(key: str) -> Feedback:
    """What is said under a key, always the same."""
    return Feedback(key, f"{key}.0", "yes", None, 2.0, digest=key)


class EventWriting(Victim):
    """Keeps events and feedback; what is reported was acknowledged, and is sent again by the next process."""

    name = "event writing"
    states = ("before", "events, feedback not yet", "acknowledged")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / "events.sqlite"
        self.acknowledged: set[str] = set()
        self.batches: set[str] = set()
        self.again: list[str] = []

    def open_store(self) -> EventStore:
        """The store that is tortured."""
        return SqliteStore(self.path)

    def work(self, report: Report, number: int) -> None:
        writer = EventWriter(
            self.open_store, EventMaker(WatchConfig(events="texts"), b"secret"), max_queue=1000, keep_days=100_000
        )
        writer.start()
        for key in self.again:  # as a client does that had no answer, or did not believe it
            _acknowledged(writer, key, report)
        for turn in range(TURNS):
            key = f"r{self.round}t{turn}"
            for part in range(EVENTS):
                prediction = Prediction("yes", {"yes": 0.9, "no": 0.1})
                writer.add(Answered(f"{key}.{part}", 1.0, "m-1", "a text", prediction, 1.0, LABELS))
            _acknowledged(writer, key, report)
        with_store = self.open_store()  # and as `tuneloop events import` would: straight into the store
        with_store.add_events([Event(f"r{self.round}b.{part}", 1.0, "m-1", "00", "yes", 0.9) for part in range(EVENTS)])
        report(f"batch r{self.round}b")
        with_store.close()
        writer.close()

    def fleeting(self, told: Path) -> bool:
        """Whether events of this round are there whose feedback is not."""
        try:
            with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as opened:
                (newest,) = opened.execute(NEWEST).fetchone() or ("",)
                said = opened.execute("SELECT 1 FROM tuneloop_feedback WHERE key = ?", [newest.split(".")[0]])
                return newest.startswith(f"r{self.round}t") and said.fetchone() is None
        except sqlite3.Error:  # it is not there yet, or being written
            return False

    def check(self, told: Sequence[str]) -> str:
        said = [line.split() for line in told]
        new = {key for kind, key in said if kind == "feedback"}
        repeated = {key for kind, key in said if kind == "same"}
        self.batches |= {key for kind, key in said if kind == "batch"}
        if not repeated <= self.acknowledged | set(self.again) or new & self.acknowledged:
            raise Broken("feedback was said to be new, or known, and was not")
        self.acknowledged |= new | repeated
        keys = Counter(str(key) for (key,) in rows_of(self.path, "SELECT key FROM tuneloop_feedback"))
        events = Counter(str(name) for (name,) in rows_of(self.path, "SELECT id FROM tuneloop_events"))
        sent = [f"r{turn}t{number}" for turn in range(1, self.round + 1) for number in range(TURNS)]
        batches = [f"r{turn}b" for turn in range(1, self.round + 1)]
        once(self.acknowledged, keys, sent)
        behind = [f"{key}.{part}" for key in (*keys, *self.batches) for part in range(EVENTS)]
        once(behind, events, [f"{key}.{part}" for key in (*sent, *batches) for part in range(EVENTS)])
        own = [key for key in sent if key.startswith(f"r{self.round}t")]
        self.again = [key for key in own if f"{key}.0" in events][-3:]
        begun = [key for key in own if f"{key}.0" in events]
        if not begun:
            return "before"
        if begun[-1] not in keys:
            return "events, feedback not yet"
        return "acknowledged" if begun[-1] in self.acknowledged else "written, not acknowledged"


def _acknowledged(writer: EventWriter, key: str, report: Report) -> None:
    """Give feedback and wait until it is acknowledged."""
    heard = threading.Event()

    def told(receipt: Receipt | Exception) -> None:
        if isinstance(receipt, Receipt) and receipt.verdict in (Verdict.NEW, Verdict.SAME):
            report(f"{'feedback' if receipt.verdict is Verdict.NEW else 'same'} {key}")
        else:
            report(f"! {receipt}")
        heard.set()

    writer.add_feedback(feedback_of(key), told)
    if not heard.wait(WAIT_S):
        raise Broken(f"no answer to {key}")


class HastyStore(SqliteStore):
    """Says yes before anything is on the disk, as a server that answers first would."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.later: list[Feedback] = []

    def add_feedback(self, batch: Sequence[Feedback]) -> list[Receipt]:
        super().add_feedback(self.later)
        self.later = list(batch)
        return [Receipt(Verdict.NEW, each) for each in batch]


class NaiveEventWriting(EventWriting):
    """The same with a store that acknowledges too early: it must be caught."""

    name = "naive event writing"
    states = ()

    def open_store(self) -> EventStore:
        return HastyStore(self.path)
