"""Served answers and feedback over time: the database counts, and what was counted is not counted again.

Events have numbers that only grow, so that a second look reads nothing but what came since the first. How long
answers took is counted to two digits, which is what the percentiles are exact to.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate

from tuneloop.watch.store import Bin, EventStore, Judged, Wanted

MOST_POINTS = 120
"""Stretches of time that a whole life is cut into, at most."""

WIDTHS_S = (60, 300, 900, 3600, 2 * 3600, 8 * 3600, 86_400, 7 * 86_400, 30 * 86_400)
"""How long a stretch may be."""

PATIENCE = 10.0
"""Feedback is counted anew, as a later word on an answer changes an earlier one; so many times as long as that took
last is waited before the next time."""


@dataclass
class Point:
    """One stretch of time.

    Args:
        at: when it begins, seconds since 1970, UTC.
        labels: how many answers there were of each; "" for those that are no class.
        abstained: answers that the release refused to give.
        said: pieces of feedback that came in it.
        judged: answers of it that people spoke about, by now.
        right: as many of them were right by the last word on each.
    """

    at: float
    labels: Counter[str] = field(default_factory=Counter)
    abstained: int = 0
    said: int = 0
    judged: int = 0
    right: int = 0
    _took: Counter[float] = field(default_factory=Counter, repr=False)
    _sure: list[float] = field(default_factory=lambda: [0, 0.0], repr=False)

    @property
    def events(self) -> int:
        """How many texts were answered."""
        return self.labels.total()

    @property
    def confidence(self) -> float | None:
        """Mean confidence; None where answers have none."""
        count, total = self._sure
        return total / count if count else None

    def took_ms(self, share: float) -> float | None:
        """The time within which this share of the answers came, to two digits; None without answers."""
        return _quantile(self._took, share)

    def add(self, counted: Bin) -> None:
        """More events of this stretch."""
        self.labels[counted.label or ""] += counted.events
        self.abstained += counted.abstained
        self._took[counted.took_ms] += counted.events
        self._sure = [self._sure[0] + counted.confident, self._sure[1] + counted.confidence]


class Series:
    """What a release answered since a moment; each `update` costs what is new.

    Args:
        release: its id.
        since: seconds since 1970, UTC.
        width_s: how long a stretch of time is.
    """

    def __init__(self, release: str, *, since: float, width_s: float) -> None:
        self.release, self.since, self.width_s = release, since, width_s
        self._points: dict[int, Point] = {}
        self._events, self._feedback = 0, 0
        self._again_s = 0.0

    def update(self, store: EventStore) -> bool:
        """Count what came since the last time; whether there was anything.

        Raises:
            StorageError: if the store cannot be read.
        """
        known = self._events, self._feedback
        events, feedback = store.last_numbers()
        for each in store.bins(
            Wanted(since=self.since, release=self.release, after=self._events), self.width_s, events
        ):
            self._at(each.stretch).add(each)
        self._events = events
        if feedback != self._feedback and time.monotonic() >= self._again_s:
            began_s = time.monotonic()
            self._judge(store.judged(Wanted(since=self.since, release=self.release), self.width_s))
            self._again_s = time.monotonic() + PATIENCE * (time.monotonic() - began_s)
            self._feedback = feedback
        return known != (self._events, self._feedback)

    def points(self, since: float | None = None) -> list[Point]:
        """Every stretch in which something was answered or said, in order, those left out that ended before `since`."""
        begin = self.since if since is None else since
        found = (self._points[each] for each in sorted(self._points))
        return [each for each in found if each.at + self.width_s > begin]

    def _at(self, stretch: int) -> Point:
        return self._points.setdefault(stretch, Point(stretch * self.width_s))

    def _judge(self, found: Iterable[Judged]) -> None:
        for point in self._points.values():
            point.said = point.judged = point.right = 0
        for each in found:
            point = self._at(each.stretch)
            point.said, point.judged, point.right = each.said, each.judged, each.right


def width_for(span_s: float) -> float:
    """How long the stretches are into which so much time is cut."""
    return next((width for width in WIDTHS_S if span_s <= width * MOST_POINTS), span_s / MOST_POINTS)


def took_ms(points: Iterable[Point], share: float) -> float | None:
    """As `Point.took_ms`, of several stretches together."""
    whole: Counter[float] = Counter()
    for each in points:
        whole.update(each._took)
    return _quantile(whole, share)


def _quantile(counted: Counter[float], share: float) -> float | None:
    values = sorted(counted)
    if not values:
        return None
    wanted = share * counted.total()
    return next(
        value
        for value, below in zip(values, accumulate(counted[each] for each in values), strict=True)
        if below >= wanted
    )
