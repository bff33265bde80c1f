"""Where events and feedback lie: the contract of a store, and which one a configuration means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tuneloop.core.paths import Workspace
from tuneloop.core.postgres import place_of
from tuneloop.core.watching import WatchConfig
from tuneloop.watch.base import Event, Feedback


class Verdict(StrEnum):
    """What became of feedback."""

    NEW = "new"
    SAME = "same"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Receipt:
    """What a store says of feedback that it was given.

    Args:
        verdict: new: it is kept now; same: it was kept before; other: its key has other feedback; unknown: there is no
            such event.
        feedback: what is kept under its key; None where nothing is.
    """

    verdict: Verdict
    feedback: Feedback | None = None


@dataclass(frozen=True)
class Counts:
    """How much a store holds.

    Args:
        first_at: the earliest moment of an event, seconds since 1970, UTC; None without events.
        last_at: the latest one.
    """

    events: int
    feedback: int
    first_at: float | None
    last_at: float | None


@dataclass(frozen=True)
class Bin:
    """Events of one stretch of time with one answer that took about as long.

    Args:
        stretch: number of the stretch: its time divided by its width.
        label: what was answered; None where that is no class.
        took_ms: how long it took, to two digits.
        abstained: as many of them were refused.
        confident: as many have a confidence.
        confidence: its sum.
    """

    stretch: int
    label: str | None
    took_ms: float
    events: int
    abstained: int
    confident: int
    confidence: float


@dataclass(frozen=True)
class Judged:
    """What people said in one stretch of time, and of its answers.

    Args:
        stretch: number of the stretch, as in a `Bin`.
        said: pieces of feedback that came in it.
        judged: answers that were given in it and are called right or wrong by the last word on each.
        right: as many are right.
    """

    stretch: int
    said: int
    judged: int
    right: int


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which events, or which feedback, are read.

    Args:
        since: seconds since 1970, UTC; earlier ones are left out.
        until: this moment and later ones are left out.
        release: of one release alone.
        after: number up to which they are left out.
        limit: at most so many.
        newest_first: the other way round.
    """

    since: float | None = None
    until: float | None = None
    release: str | None = None
    after: int = 0
    limit: int | None = None
    newest_first: bool = False


ALL = Wanted()


class EventStore(ABC):
    """Events and feedback, in the order in which they came, each with a number that only grows.

    What a method has returned from is on the disk. Every method raises `StorageError` if the disk or the database
    refuses; nothing of the call is kept then, and it may be made again.
    """

    @abstractmethod
    def add_events(self, batch: Sequence[Event]) -> None:
        """Keep events, all or none; an event whose id is there already is left as it is."""

    @abstractmethod
    def add_feedback(self, batch: Sequence[Feedback]) -> list[Receipt]:
        """Keep feedback that is new, and say of each what became of it, in order."""

    @abstractmethod
    def events(self, wanted: Wanted = ALL) -> Iterator[Event]:
        """Events in the order of their numbers, read in portions."""

    @abstractmethod
    def feedback(self, wanted: Wanted = ALL) -> Iterator[tuple[Feedback, Event]]:
        """Feedback with the event that it is about, in the order of its numbers; times are those of the feedback."""

    @abstractmethod
    def counts(self) -> Counts:
        """How much there is."""

    @abstractmethod
    def last_numbers(self) -> tuple[int, int]:
        """The highest number of an event and of feedback, 0 where there are none; found at once."""

    @abstractmethod
    def bins(self, wanted: Wanted, width_s: float, until: int) -> list[Bin]:
        """Events counted by stretch of time, answer and time it took.

        Args:
            wanted: which; `limit` and `newest_first` mean nothing here.
            width_s: how long a stretch is.
            until: number of the last event that counts.
        """

    @abstractmethod
    def judged(self, wanted: Wanted, width_s: float) -> list[Judged]:
        """Feedback counted by stretch of time; `since`, `until` and `release` are those of the events."""

    @abstractmethod
    def prune(self, before: float) -> int:
        """Let go of events from before a moment on which there is no later feedback, with theirs; how many went."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection."""


def open_store(config: WatchConfig, workspace: Workspace) -> EventStore:
    """The store that a configuration names; made if it is not there.

    Raises:
        StorageError: if it cannot be opened.
        MissingExtraError: if the package for its database is not installed.
    """
    url = config.store or workspace.database
    if url:
        from tuneloop.watch.postgres_store import PostgresStore

        return PostgresStore(url)
    from tuneloop.watch.sqlite_store import SqliteStore

    return SqliteStore(workspace.events)


def place_of_store(config: WatchConfig, workspace: Workspace) -> str:
    """Where the store that a configuration names lies, as people may read it."""
    url = config.store or workspace.database
    return place_of(url) if url else str(workspace.events)
