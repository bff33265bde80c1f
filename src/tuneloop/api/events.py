"""The part of the Python door that reads what a server has kept of its answers, and what people said of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.api.releasing import DEFAULT_WORKSPACE, project_here
from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace

if TYPE_CHECKING:
    from tuneloop.watch.base import Event, Feedback
    from tuneloop.watch.series import Point
    from tuneloop.watch.store import Counts, EventStore, Wanted

Moment = str | float | datetime | None


def events(
    workspace: Path = DEFAULT_WORKSPACE,
    *,
    since: Moment = None,
    until: Moment = None,
    release: str | None = None,
    last: int | None = None,
    store: str | None = None,
) -> Iterator[Event]:
    """What was kept of served answers, in the order in which they came.

    Args:
        workspace: of the server.
        since: a moment in seconds since 1970, a datetime, a date as 2026-01-31, or an age as 24h; earlier ones are left
            out. What names no zone is UTC.
        until: this moment and later ones are left out.
        release: of one release alone.
        last: only so many of the newest, the newest first.
        store: postgresql://HOST/DATABASE; what ./tuneloop.yaml says by default, else the file in the workspace.

    Raises:
        DataError: if there are no events, or a moment cannot be read.
        StorageError: if the store cannot be read.
    """
    with _opened(workspace, store) as opened:
        yield from opened.events(_wanted(since, until, release, last))


def feedback(
    workspace: Path = DEFAULT_WORKSPACE,
    *,
    since: Moment = None,
    until: Moment = None,
    release: str | None = None,
    last: int | None = None,
    store: str | None = None,
) -> Iterator[tuple[Feedback, Event]]:
    """What people said of answers, with the event that each is about; arguments as those of `events`."""
    with _opened(workspace, store) as opened:
        yield from opened.feedback(_wanted(since, until, release, last))


def _wanted(since: Moment, until: Moment, release: str | None, last: int | None) -> Wanted:
    from tuneloop.watch.store import Wanted
    from tuneloop.watch.times import moment

    return Wanted(since=moment(since), until=moment(until), release=release, limit=last, newest_first=last is not None)


@contextmanager
def stored_feedback(
    workspace: Workspace, store: str | None, *, name: str
) -> Iterator[Iterator[tuple[Feedback, Event]]]:
    """All feedback on releases of the model `name`, the oldest first, while the store is open."""
    from tuneloop.releases.index import model_of

    with _opened(workspace.root, store) as opened:
        yield (each for each in opened.feedback() if model_of(each[1].release) == name)


def event_counts(workspace: Path = DEFAULT_WORKSPACE, *, store: str | None = None) -> Counts:
    """How many events and how much feedback there are, and from when.

    Raises:
        DataError: if there are no events.
    """
    with _opened(workspace, store) as opened:
        return opened.counts()


def prune_events(keep_days: float, workspace: Path = DEFAULT_WORKSPACE, *, store: str | None = None) -> int:
    """Remove events older than so many days with the feedback on them; how many went.

    An event with younger feedback stays.

    Raises:
        DataError: if there are no events, or the number of days is negative.
    """
    if keep_days < 0:
        raise DataError(t("Events cannot be kept for {days} days.", days=keep_days), t("Give 0 or more."))
    with _opened(workspace, store) as opened:
        return opened.prune(time.time() - keep_days * 86_400)


def event_series(
    release: str,
    workspace: Path = DEFAULT_WORKSPACE,
    *,
    since: Moment = None,
    store: str | None = None,
) -> list[Point]:
    """What a release answered, and what people said of it, over time; counted by the database.

    Args:
        release: its id.
        since: as that of `events`; the first event by default.

    Returns:
        Stretches of time of equal width, at most 121, in order, those without anything left out: answers by label,
        percentiles of the time that they took, mean confidence, feedback.

    Raises:
        DataError: if there are no events, or a moment cannot be read.
        StorageError: if the store cannot be read.
    """
    from tuneloop.watch.series import Series, width_for
    from tuneloop.watch.times import moment

    with _opened(workspace, store) as opened:
        counts = opened.counts()
        begin = moment(since) if since is not None else counts.first_at or 0.0
        assert begin is not None
        series = Series(release, since=begin, width_s=width_for((counts.last_at or begin) - begin))
        series.update(opened)
        return series.points()


@contextmanager
def _opened(workspace: Path, store: str | None) -> Iterator[EventStore]:
    opened = open_events(workspace, store=store)
    try:
        yield opened
    finally:
        opened.close()


def open_events(workspace: Path = DEFAULT_WORKSPACE, *, store: str | None = None) -> EventStore:
    """The store itself, for who looks often; close it at the end. Arguments as those of `events`.

    Raises:
        DataError: if there are no events.
        StorageError: if the store cannot be opened.
    """
    from tuneloop.core.config import parse_options
    from tuneloop.core.watching import WatchConfig
    from tuneloop.watch.store import open_store

    place = Workspace(Path(workspace))
    url = _store_of(place) if store is None else store
    if not url and not place.database and not place.events.is_file():
        raise DataError(
            t("There are no events in {folder}.", folder=place.root),
            t("Set watch.events: hashes, vectors or texts, then serve."),
        )
    return open_store(parse_options(WatchConfig, {"store": url}, where="watch"), place)


def _store_of(workspace: Workspace) -> str:
    """The store that ./tuneloop.yaml names, if the workspace is its own."""
    project = project_here(workspace)
    return "" if project is None else project.config.watch.store
