"""One stream of events, tested window by window against all that came before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tuneloop.watch.base import Event
from tuneloop.watch.drift.base import Detector, Effect, Rows, joined, taken
from tuneloop.watch.drift.martingale import Martingale

Tell = Callable[[int], None]
"""What is called with the number of windows that are done."""


@dataclass(frozen=True)
class Tested:
    """What one detector says of one window.

    Args:
        p: how unlikely the window is; None where it has too little to test.
        capital: the martingale's after it.
        effect: how far the window is from the reference.
    """

    p: float | None
    capital: float
    effect: Effect | None


@dataclass(frozen=True)
class Alarm:
    """That something has changed.

    Args:
        detector: what saw it.
        window: the window, from 0, in which it was sure.
        since: the window, from 0, since which it most likely holds.
        effect: of all windows from `since` to `window`, against the reference.
    """

    detector: str
    window: int
    since: int
    effect: Effect | None


@dataclass
class Watched:
    """One detector on one stream.

    Args:
        reference: the events that it was compared with from the beginning.
        tested: a line for each window.
        alarm: the first one; None while there is none.
        threshold: the capital at which it comes.
        skipped: whether no event told what it measures.
    """

    reference: Sequence[Event] = ()
    tested: list[Tested] = field(default_factory=list)
    alarm: Alarm | None = None
    threshold: float = float("inf")
    skipped: bool = False


def windows_of(events: Sequence[Event], size: int) -> list[Sequence[Event]]:
    """Whole windows, in order; what is left over waits for more."""
    return [events[start : start + size] for start in range(0, len(events) - size + 1, size)]


def watch_stream(
    reference: Sequence[Event],
    events: Sequence[Event],
    detectors: Mapping[str, Detector],
    *,
    size: int,
    share: float,
    first: int,
    seed: Sequence[int] = (0,),
    tell: Tell = lambda done: None,
) -> dict[str, Watched]:
    """Test a stream.

    The chance that any of the detectors ever raises a false alarm is at most `share`, while the events of reference and
    stream could have come in any order (they are exchangeable): each detector has an equal part of it, and the sum of
    their chances is a bound whatever hangs together (Bonferroni).

    Args:
        reference: what the stream is compared with; detectors that it tells nothing take the first events.
        events: the stream, the oldest first.
        size: events of a window.
        first: events that are a reference where there is none.
        seed: of every random choice.
    """
    threshold = len(detectors) / share
    found: dict[str, Watched] = {}
    done = 0
    for name, detector in detectors.items():
        given = _rows(detector.measure(reference)) >= detector.fewest
        start = 0 if given else -(-first // size)
        windows = windows_of(events, size)
        own = reference if given else [event for window in windows[:start] for event in window]
        watched = Watched(own, threshold=threshold)
        watched.tested += [Tested(None, 1.0, detector.effect(own, window)) for window in windows[:start]]
        _test(watched, windows, start, detector, [*seed, *hashlib.sha256(name.encode()).digest()[:4]])
        watched.skipped = all(each.effect is None for each in watched.tested)
        found[name] = watched
        done += len(windows)
        tell(done)
    return found


def _test(
    watched: Watched, windows: Sequence[Sequence[Event]], start: int, detector: Detector, seed: Sequence[int]
) -> None:
    martingale = Martingale()
    past = [detector.measure(watched.reference)]
    for number in range(start, len(windows)):
        now = detector.measure(windows[number])
        random = np.random.default_rng([*seed, number])
        p = _p_value(detector, past, now, random)
        if p is not None:
            martingale.bet(p)
        if _rows(now):
            past.append(now)
        effect = detector.effect(watched.reference, windows[number])
        watched.tested.append(Tested(p, martingale.capital, effect))
        if watched.alarm is None and martingale.capital >= watched.threshold:
            since = min(_place(watched.tested, start, martingale.since), number)
            changed = [event for window in windows[since : number + 1] for event in window]
            watched.alarm = Alarm(detector.name, number, since, detector.effect(watched.reference, changed))


def _p_value(detector: Detector, past: list[Rows], now: Rows, random: np.random.Generator) -> float | None:
    counts = [_rows(part) for part in past]
    if sum(counts) < detector.fewest or _rows(now) < detector.fewest:
        return None
    rows = joined([part for part, count in zip(past, counts, strict=True) if count])
    past[:] = [rows]  # joined once
    # drawn anew out of all that came before: a choice that is kept would tell of the order in which rows came
    if _rows(rows) > detector.most_past:
        rows = taken(rows, random.choice(_rows(rows), detector.most_past, replace=False))
    return detector.p_value(rows, now, random)


def _place(tested: Sequence[Tested], start: int, nth: int) -> int:
    """The window, from 0, of the nth bet."""
    played = [number for number in range(start, len(tested)) if tested[number].p is not None]
    return played[nth - 1] if 0 < nth <= len(played) else start


def _rows(rows: Any) -> int:
    return int(rows.shape[0])
