"""The one thread that writes events, so that no answer ever waits for the disk.

A queue of bounded length stands before it; what does not fit is dropped and counted. Feedback goes the same way, behind
the events that came before it, but whoever gave it is told when it is on the disk.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import islice
from typing import NamedTuple

from tuneloop.core.errors import StorageError
from tuneloop.core.i18n import t
from tuneloop.core.worker import Worker
from tuneloop.watch.base import Event, Feedback
from tuneloop.watch.making import Answered
from tuneloop.watch.store import EventStore, Receipt

logger = logging.getLogger("tuneloop.watch")

Told = Callable[[Receipt | Exception], None]

MOST_TOGETHER = 512
"""Events in one write at most."""

MOST_CHARS = 1 << 24
"""Characters of texts that may wait, whatever their number."""

MOST_FEEDBACK = 1024
"""Feedback that may wait."""

LINGER_S = 0.1
"""How long an event waits for others to share its write; with feedback or at the end it does not."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0
"""After a write that failed: the next try comes so much later, and each further one twice as much."""

LAST_TRIES = 3
"""How often a write is tried at the end."""

PRUNE_S = 3600.0
DAY_S = 86_400.0


class QueueFull(Exception):
    """More feedback waits than may."""


class Waiting(NamedTuple):
    """Feedback that waits until the first `behind` events of this writer are written."""

    feedback: Feedback
    told: Told
    behind: int


class EventWriter(Worker):
    """Writes events and feedback into a store.

    `counts` says what became of events: written, dropped (there was no room for them, or the end came while the disk
    refused) or unfit (no store takes them); and how many writes failed.

    Args:
        open_store: opens it, in the thread.
        make: from an answer to what is kept of it.
        max_queue: events that may wait.
        keep_days: days after which an event goes.
    """

    def __init__(
        self,
        open_store: Callable[[], EventStore],
        make: Callable[[Answered], Event],
        *,
        max_queue: int,
        keep_days: int,
    ) -> None:
        super().__init__("tuneloop-events")
        self.counts: Counter[str] = Counter(dict.fromkeys(("written", "dropped", "unfit", "failed"), 0))
        self._open_store, self._make = open_store, make
        self._max_queue, self._keep_s = max_queue, keep_days * DAY_S
        self._events: deque[Answered] = deque()
        self._gone = self._chars = 0
        self._feedback: deque[Waiting] = deque()
        self._opened: Future[None] = Future()
        self._pruned_s = 0.0
        self._pause_s, self._last_tries = 0.0, LAST_TRIES

    @property
    def waiting(self) -> int:
        """Events that are not written yet."""
        return len(self._events)

    def start(self) -> None:
        """Open the store.

        Raises:
            StorageError: if it refuses.
            MissingExtraError: if the package for its database is not installed.
        """
        super().start()
        self._opened.result()

    def add(self, answered: Answered) -> bool:
        """Have an event written soon; whether there was room for it. Never waits for the disk."""
        with self._changed:
            chars = self._chars + answered.chars
            if self._closing or len(self._events) >= self._max_queue or chars > MOST_CHARS:
                self.counts["dropped"] += 1
                return False
            self._events.append(answered)
            self._chars = chars
            if len(self._events) in (1, MOST_TOGETHER):
                self._changed.notify()
            return True

    def add_feedback(self, feedback: Feedback, told: Told) -> None:
        """Have feedback written at once.

        Args:
            told: called in the thread of the writer with the receipt once it is on the disk, or with the reason why it
                is not.

        Raises:
            QueueFull: if too much waits.
        """
        with self._changed:
            if self._closing or len(self._feedback) >= MOST_FEEDBACK:
                raise QueueFull
            self._feedback.append(Waiting(feedback, told, self._gone + len(self._events)))
            self._changed.notify()

    def _work(self) -> None:
        try:
            store = self._open_store()
        except Exception as error:
            self._opened.set_exception(error)
            return
        self._opened.set_result(None)
        self._prune(store)
        while not self._ended:
            self._write(*self._take(), store)
            if time.monotonic() - self._pruned_s > PRUNE_S:
                self._prune(store)
        store.close()

    @property
    def _ended(self) -> bool:
        with self._changed:
            return self._closing and not self._events and not self._feedback

    def _take(self) -> tuple[list[Answered], list[Waiting]]:
        """What is to be written together; events stay in the queue until they are."""
        with self._changed:
            self._wait()
            events = list(islice(self._events, MOST_TOGETHER))
            feedback = []
            while self._feedback and self._feedback[0].behind <= self._gone + len(events):
                feedback.append(self._feedback.popleft())
            return events, feedback

    def _wait(self) -> None:
        if self._pause_s and self._closing:
            self._changed.wait(FIRST_PAUSE_S)
        elif self._pause_s:  # feedback comes with a client who waits: whether the disk is well again is tried for it
            self._changed.wait_for(lambda: self._closing or self._feedback, self._pause_s)
        elif self._changed.wait_for(lambda: self._closing or self._feedback or self._events, PRUNE_S):
            self._changed.wait_for(
                lambda: self._closing or self._feedback or len(self._events) >= MOST_TOGETHER, LINGER_S
            )

    def _write(self, events: list[Answered], feedback: list[Waiting], store: EventStore) -> None:
        try:
            written = self._add(events, store)
            if feedback:
                _tell_all(feedback, store)
        except Exception as error:
            self._refused(error, feedback)
            return
        self._pause_s, self._last_tries = 0.0, LAST_TRIES
        with self._changed:
            for _ in events:
                self._chars -= self._events.popleft().chars
            self._gone += len(events)
        self.counts["written"] += written
        self.counts["unfit"] += len(events) - written

    def _add(self, events: list[Answered], store: EventStore) -> int:
        """How many of these are written now; the others are fit for no store.

        Raises:
            StorageError: if the store refuses.
        """
        made = []
        for each in events:
            try:
                made.append(self._make(each))
            except Exception as error:  # its message might quote the text, which must not reach the log
                logger.error("No event can be made of an answer of %s: %s", each.release, type(error).__name__)
        return _add_fitting(made, store) if made else 0

    def _refused(self, error: Exception, feedback: list[Waiting]) -> None:
        """Try again later; who waits is told now."""
        self.counts["failed"] += 1
        if not self._pause_s:
            logger.error("%s", t("Events cannot be written now: {error}", error=_said(error)))
        self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s or FIRST_PAUSE_S)
        with self._changed:
            told = [*feedback, *self._feedback]
            self._feedback.clear()
            if self._closing:
                self._last_tries -= 1
            if self._last_tries == 0:
                lost = len(self._events)
                self.counts["dropped"] += lost
                self._events.clear()
                logger.error("%s", t("{count} events are lost, as they could not be written.", count=lost))
        for each in told:
            each.told(error)

    def _prune(self, store: EventStore) -> None:
        self._pruned_s = time.monotonic()
        try:
            store.prune(time.time() - self._keep_s)
        except Exception as error:
            self.counts["failed"] += 1
            logger.error("%s", t("Old events cannot be removed now: {error}", error=_said(error)))


def _add_fitting(events: Sequence[Event], store: EventStore) -> int:
    """How many are written; where one does not fit, the others are written without it."""
    try:
        store.add_events(events)
        return len(events)
    except StorageError:
        raise
    except Exception as error:
        if len(events) == 1:
            logger.error("An event of %s does not fit the store: %s", events[0].release, type(error).__name__)
            return 0
    half = len(events) // 2
    return _add_fitting(events[:half], store) + _add_fitting(events[half:], store)


def _tell_all(feedback: Sequence[Waiting], store: EventStore) -> None:
    """Write feedback and say what became of it; what does not fit is told so, apart from the rest."""
    try:
        receipts = store.add_feedback([each.feedback for each in feedback])
    except StorageError:
        raise
    except Exception as error:
        if len(feedback) == 1:
            feedback[0].told(error)
            return
        for each in feedback:
            _tell_all([each], store)
        return
    for each, receipt in zip(feedback, receipts, strict=True):
        each.told(receipt)


def _said(error: Exception) -> str:
    """What of an error may stand in the log: ours quote no text."""
    return error.problem if isinstance(error, StorageError) else type(error).__name__
