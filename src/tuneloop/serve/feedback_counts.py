"""What people say of the answers of both sides, read from where events are kept."""

from __future__ import annotations

from collections.abc import Iterator

from tuneloop.core.paths import Workspace
from tuneloop.core.watching import WatchConfig
from tuneloop.releases.deployment import Candidate
from tuneloop.watch.base import Event, Feedback
from tuneloop.watch.canary import Side
from tuneloop.watch.store import EventStore, Wanted, open_store


class FeedbackCounts:
    """Feedback on answers since a candidate is being tried, each event once: the first that somebody said of it.

    It is read from the first on that came since then, so that nothing is lost or counted twice when a server starts
    again. Servers that share a store all see all of it.

    Args:
        config: names the store.
        workspace: where it lies otherwise.
    """

    def __init__(self, config: WatchConfig, workspace: Workspace) -> None:
        self._config, self._workspace = config, workspace
        self._store: EventStore | None = None
        self._last = 0
        self._seen: set[str] = set()

    def begin(self) -> None:
        """Another trial begins."""
        self._last, self._seen = 0, set()

    def new(self, candidate: Candidate, current: str) -> Iterator[tuple[Side, bool]]:
        """What came since it was asked the last time: the side that answered, and whether the answer is called wrong.

        Raises:
            StorageError: if the store cannot be read.
        """
        if self._store is None:
            self._store = open_store(self._config, self._workspace)
        sides: dict[str, Side] = {current: "current", candidate.release: "candidate"}
        for said, event in self._store.feedback(Wanted(since=candidate.at, after=self._last)):
            self._last = said.number
            if event.at >= candidate.at and event.release in sides and event.id not in self._seen:
                wrong = is_wrong(said, event)
                if wrong is not None:
                    self._seen.add(event.id)
                    yield sides[event.release], wrong

    def close(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            self._store.close()


def is_wrong(said: Feedback, event: Event) -> bool | None:
    """Whether feedback calls an answer wrong: in so many words, or by another label; None for answers without one."""
    if said.good is not None:
        return not said.good
    return None if event.label is None else said.label != event.label
