"""Parts of a stream that are watched apart: languages, releases, values of tags."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from tuneloop.watch.base import Event

Slice = tuple[str, str]
"""What events are told apart by, and its value: ("language", "zh")."""


def value_of(event: Event, by: str) -> str | None:
    """What an event counts as: its language, its release, or the value of a tag; None if it has no such tag."""
    if by in ("language", "release"):
        return str(getattr(event, by))
    return event.tags.get(by)


def slices_of(events: Sequence[Event], names: Sequence[str], *, most: int) -> dict[Slice, list[Event]]:
    """The events of each slice, slices in the order in which they first came, so many at most."""
    found: dict[Slice, list[Event]] = {}
    for event in events:
        for by in names:
            value = value_of(event, by)
            if value is not None:
                found.setdefault((by, value), []).append(event)
    return dict(islice(found.items(), most))


def shares(total: float, slices: int, *, watched_apart: bool) -> tuple[float, list[float]]:
    """How the chance of a false alarm is dealt: half to all events together, the other half to slices.

    The n-th slice that comes has `1 / (n (n + 1))` of the slices' half, which sums to 1 however many come. So a slice
    that comes later takes nothing from those before, and the bound holds for all together.

    Args:
        total: the chance of a false alarm anywhere.
        watched_apart: whether slices are watched at all; without them all events have the whole of it.
    """
    if not watched_apart:
        return total, []
    return total / 2, [total / 2 / (n * (n + 1)) for n in range(1, slices + 1)]
