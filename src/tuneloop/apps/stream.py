"""Items as they come, each judged by the served release and counted once, by its own time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.apps.feeds import Item, item_of
from tuneloop.apps.inside import ask
from tuneloop.core.errors import DataError, StorageError
from tuneloop.watch.base import Event
from tuneloop.watch.sqlite_store import SqliteStore

if TYPE_CHECKING:
    from fastapi import FastAPI

MOST_ITEMS = 1000
PORTION = 64
"""Items that are judged and stored together."""


class Stream:
    """What has come. An item is on the disk before anybody is told that it is accepted; sent again, it counts once.

    Each is an `Event` at the item's own time whose tags are `source`, `why` (the rules that changed the answer, with
    the answers before and after and the words that matched), `asked` (the event of the server, which feedback names)
    and those of `tags`.

    Args:
        server: as `tuneloop.serve` hands it to `around`; its release is a classifier.
        path: a file of SQLite; made if it is not there.
        window_s: of the items' time before the newest, that `recent` holds; older ones stay in the file.
        tags: what else is to be known of an item.
    """

    def __init__(
        self, server: FastAPI, path: Path, *, window_s: float, tags: Callable[[Item], Mapping[str, str]] = lambda _: {}
    ) -> None:
        self._server, self._store, self._window_s, self._tags = server, SqliteStore(path), window_s, tags
        self._one_at_a_time = asyncio.Lock()
        self._ids: set[str] = set()
        self.recent: list[Event] = []
        self.newest = 0.0
        """Now is the time of the newest item, not of the wall: a replay is seen as the days themselves were."""
        self._remember(list(self._store.events()))

    def __len__(self) -> int:
        return len(self._ids)

    async def keep(self, items: Sequence[Item]) -> int:
        """Judge and store what is new; how many items that were.

        Raises:
            Problem: if the server refuses to judge now; what was stored before stays, and all may be sent again.
            StorageError: if the disk refuses; the same.
        """
        async with self._one_at_a_time:
            fresh = list({item.id: item for item in items if item.id not in self._ids}.values())
            for first in range(0, len(fresh), PORTION):
                part = fresh[first : first + PORTION]
                told = await ask(self._server, "/v1/predict", {"texts": [item.text for item in part]})
                events = [
                    self._event(item, answer, told.body["release"], f"{told.request}.{number}")
                    for number, (item, answer) in enumerate(zip(part, told.body["predictions"], strict=True))
                ]
                await asyncio.to_thread(self._store.add_events, events)
                self._remember(events)
            return len(fresh)

    def _remember(self, events: Sequence[Event]) -> None:
        self._ids.update(event.id for event in events)
        self.newest = max([self.newest, *(event.at for event in events)])
        begin = self.newest - self._window_s
        self.recent = [event for event in (*self.recent, *events) if event.at >= begin]

    def _event(self, item: Item, answer: Mapping[str, Any], release: str, asked: str) -> Event:
        acted = [reason for reason in answer.get("because") or () if not reason["flag"]]
        why = (f"{one['rule']}: {one['before']} → {one['after']} “{one['matched']}”" for one in acted)
        return Event(
            id=item.id, at=item.at, release=release, hash="", label=answer["label"], text=item.text,
            confidence=max(answer["probabilities"].values(), default=None), probabilities=answer["probabilities"],
            chars=len(item.text), rules=tuple(dict.fromkeys(one["rule"] for one in acted)),
            tags={**self._tags(item), "source": item.source, "why": "; ".join(why), "asked": asked},
        )  # fmt: skip


def add_intake(server: FastAPI, stream: Stream, *, path: str = "/api/items") -> None:
    """Take items by POST `{"items": [{"text": ..., "time": ..., "id": ..., "source": ...}]}`, 1,000 at most.

    The answer `{"accepted": n, "known": m}` means that all are on the disk. Where one cannot be used, 422 names it and
    none is kept; 503 says that the disk refuses, 429 and 503 with Retry-After that the server is busy: send them again.
    """
    from pydantic import BaseModel, Field

    from tuneloop.serve.problems import Problem

    class Items(BaseModel):
        """News or posts."""

        items: list[dict[str, Any]] = Field(max_length=MOST_ITEMS)

    async def take(body: Items) -> dict[str, int]:
        """Take items; sent again, they count once."""
        try:
            given = [item_of(plain, where=f"items[{number}]", source="http") for number, plain in enumerate(body.items)]
            accepted = await stream.keep(given)
        except DataError as error:
            raise Problem.of(error, 422) from None
        except StorageError as error:
            raise Problem.of(error, 503) from None
        return {"accepted": accepted, "known": len(given) - accepted}

    take.__annotations__["body"] = Items  # annotations are texts here, and FastAPI would not find a local class
    server.add_api_route(path, take, methods=["POST"])
