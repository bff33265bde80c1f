"""What the charts of a watched release show: counted once for all tabs, beside the event loop."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuneloop.audits.base import Figure, share
from tuneloop.core.errors import DataError
from tuneloop.studio.state import Studio

if TYPE_CHECKING:
    from tuneloop.watch.base import Event
    from tuneloop.watch.series import Series
    from tuneloop.watch.store import EventStore

SPANS_S = {"1h": 3600.0, "24h": 86_400.0, "7d": 7 * 86_400.0, "30d": 30 * 86_400.0, "all": None}
"""How far back one may look."""

MOST_SERIES = 8
"""Releases and spans that are kept counted."""


@dataclass(frozen=True)
class Row:
    """One stretch of time as it is drawn; times in milliseconds."""

    at: float
    events: int
    labels: Counter[str]
    abstained: int
    said: int
    judged: int
    right: int
    confidence: float | None
    took_ms: tuple[float | None, ...]


@dataclass(frozen=True)
class Counted:
    """What was counted of a release.

    Args:
        width_s: of a stretch of time.
        rows: in the order of time.
        took_ms: the time within which 50, 95 and 99 % of all answers came.
        measured: how many answers are right, of those that people spoke about.
        newest: the newest event, which says what is kept.
    """

    width_s: float = 0.0
    rows: list[Row] = field(default_factory=list)
    took_ms: tuple[float | None, ...] = (None, None, None)
    measured: Figure = field(default_factory=lambda: Figure(None))
    newest: Event | None = None

    @property
    def events(self) -> int:
        """Answers in all."""
        return sum(each.events for each in self.rows)

    @property
    def labels(self) -> Counter[str]:
        """Answers in all, by label."""
        return sum((each.labels for each in self.rows), Counter())

    @property
    def said(self) -> int:
        """Pieces of feedback in all."""
        return sum(each.said for each in self.rows)


PERCENTILES = (0.5, 0.95, 0.99)


class Counting:
    """Keeps the store open and what was counted; one thread at a time.

    Args:
        studio: whose events.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._lock = threading.Lock()
        self._store: EventStore | None = None
        self._url = ""
        self._series: dict[tuple[str, str], Series] = {}
        self._newest: dict[str, tuple[int, Event | None]] = {}

    def look(self, release: str, span: str) -> Counted:
        """What a release answered in a span of `SPANS_S`, up to now; nothing where no events are kept.

        Raises:
            StorageError: if the store cannot be read.
        """
        with self._lock:
            store = self._opened()
            return Counted() if store is None else self._look(store, release, span)

    def newest(self, release: str) -> Event | None:
        """The newest event of a release; None where none is kept.

        Raises:
            StorageError: if the store cannot be read.
        """
        with self._lock:
            store = self._opened()
            return None if store is None else self._newest_of(store, release)

    def _look(self, store: EventStore, release: str, span: str) -> Counted:
        from tuneloop.watch.series import took_ms

        series = self._series_of(store, release, span)
        series.update(store)
        length = SPANS_S[span]
        points = series.points(None if length is None else time.time() - length)
        rows = [
            Row(
                1000 * each.at, each.events, Counter(each.labels), each.abstained, each.said, each.judged, each.right,
                each.confidence, tuple(each.took_ms(share) for share in PERCENTILES),
            )
            for each in points
        ]  # fmt: skip
        whole = tuple(took_ms(points, share) for share in PERCENTILES)
        measured = share(sum(each.right for each in rows), sum(each.judged for each in rows))
        return Counted(series.width_s, rows, whole, measured, self._newest_of(store, release))

    def _newest_of(self, store: EventStore, release: str) -> Event | None:
        """The newest event; it is looked for among those that came since the last look."""
        from tuneloop.watch.store import Wanted

        seen, known = self._newest.get(release, (0, None))
        last, _ = store.last_numbers()
        wanted = Wanted(release=release, after=seen, limit=1, newest_first=True)
        self._newest[release] = last, next(store.events(wanted), known)
        return self._newest[release][1]

    def _series_of(self, store: EventStore, release: str, span: str) -> Series:
        from tuneloop.watch.series import MOST_POINTS, Series, width_for

        series = self._series.pop((release, span), None)
        if series is None or len(series.points()) > 2 * MOST_POINTS:
            length = SPANS_S[span]
            begin = (store.counts().first_at or 0.0) if length is None else time.time() - length
            series = Series(release, since=begin, width_s=width_for(time.time() - begin))
        self._series[release, span] = series
        while len(self._series) > MOST_SERIES:
            self._series.pop(next(iter(self._series)))
        return series

    def _opened(self) -> EventStore | None:
        """The store that the project names now; None where it names none and there is no file."""
        from tuneloop.api.events import open_events

        project = self._studio.project
        url = project.config.watch.store if project else ""
        if self._store is not None and url != self._url:
            self._store.close()
            self._store, self._series, self._newest = None, {}, {}
        if self._store is None:
            with suppress(DataError):
                self._store, self._url = open_events(self._studio.workspace.root, store=url), url
        return self._store


def counting(studio: Studio) -> Counting:
    """The one of a studio."""
    kept: Any = studio.shared.setdefault("watch", Counting(studio))
    assert isinstance(kept, Counting)
    return kept
