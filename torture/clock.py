"""The clock is set back by an hour: what was written later still counts as later, and nothing is held back."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from unittest.mock import patch

from torture.harness import Broken
from torture.invariants import once, same_after_reindex
from torture.victims.events import feedback_of
from torture.world import NAME, World
from tuneloop.core.paths import Workspace
from tuneloop.labelling.store import Item, LabelStore, item_id
from tuneloop.releases import index
from tuneloop.releases.deployment import history
from tuneloop.releases.promotion import promote, rollback
from tuneloop.training.run import _write_info, open_run
from tuneloop.watch.alerts.base import Alert, Channel
from tuneloop.watch.alerts.tell import tell
from tuneloop.watch.base import Event
from tuneloop.watch.early.rules import Warn, bursts
from tuneloop.watch.sqlite_store import SqliteStore
from tuneloop.watch.store import Verdict

BACK_S = -3600.0
DAY_S = 86_400.0


def check(folder: Path, world: World, *, thorough: bool) -> dict[str, Any]:
    """Do everything that notes a time, set the clock back, and do it again; what was looked at.

    Raises:
        Broken: if what came later does not count as later, is lost, or is held back.
    """
    place = Workspace(folder / "w")
    looked = (_releases, _runs, _events, _alerts, _labels, _warnings)
    for each in looked:
        each(place, world)
    return {"looked at": [each.__name__.strip("_") for each in looked]}


def _releases(place: Workspace, world: World) -> None:
    first = world.release(world.run, place).id
    promote(first, place, who="me")
    with clock_at(BACK_S):
        second = world.release(world.run, place).id
        promote(second, place, who="me")
        if rollback(NAME, place, who="me").release != first:
            raise Broken("one does not go back to the release before")
    ids = [row.id for row in index.rows(place)]
    if ids != [first, second] or index.newest(NAME, place) != second:
        raise Broken(f"releases are in the order {ids}")
    if [change.release for change in history(NAME, place)] != [first, second, first]:
        raise Broken("changes are not in the order in which they were made")
    same_after_reindex(place, place.root / "reindexed")


def _runs(place: Workspace, world: World) -> None:
    for number, offset_s in enumerate((0.0, BACK_S)):
        with clock_at(offset_s):
            (folder := place.runs / f"{NAME}-{number}").mkdir(parents=True)
            _write_info(folder, {"status": "finished"})
    if open_run("latest", place).id != f"{NAME}-1":
        raise Broken("the latest run is not the one that was made last")


def _events(place: Workspace, world: World) -> None:
    keys = []
    store = SqliteStore(place.events)
    for key, offset_s in (("a", 0.0), ("b", BACK_S), ("c", 60.0)):
        with clock_at(offset_s):
            store.add_events([Event(f"{key}.0", time.time(), "m-1", "00", "yes", 0.9)])
            receipts = store.add_feedback([feedback_of(key), feedback_of(key)])
            keys += [each.verdict for each in receipts]
            store.prune(time.time() - DAY_S)
    order = [event.id for event in store.events()]
    again = [each.verdict for each in store.add_feedback([feedback_of(key) for key in "abc"])]
    said = Counter(each.key for each, _ in store.feedback())
    store.close()
    once("abc", said, "abc")
    if order != ["a.0", "b.0", "c.0"] or keys != [Verdict.NEW, Verdict.SAME] * 3 or again != [Verdict.SAME] * 3:
        raise Broken(f"events are {order}, feedback was {keys} and then {again}")


class Remembers(Channel):
    """Remembers what it was told."""

    name = "remembers"

    def __init__(self) -> None:
        self.told: list[str] = []

    def send(self, alert: Alert) -> None:
        self.told.append(alert.id)


def _alerts(place: Workspace, world: World) -> None:
    channel = Remembers()
    for name, offset_s in (("first", 0.0), ("second", BACK_S), ("second", BACK_S)):
        with clock_at(offset_s):
            alert = Alert(name, "drift all labels", "m-1", time.time(), "It drifts.")
            tell([alert], [channel], place.root / "watch", cooldown_s=600, clock=time.time)
    if channel.told != ["first", "second"]:
        raise Broken(f"told were {channel.told}")


def _labels(place: Workspace, world: World) -> None:
    with LabelStore(place.root / "labels", create="classification") as store:
        one = item_id("a text")
        store.keep([Item(one, "a text", suggested=1.0)])
        with clock_at(7 * DAY_S):
            store.hand("ann", [one], count=1, per_item=1)
        if not store.hand("bob", [one], count=1, per_item=1):
            raise Broken("a text is kept for somebody for days, by a clock that was wrong")


def _warnings(place: Workspace, world: World) -> None:
    warn = Warn(name="acme", words=("Acme",), labels=("negative",))
    now = time.time()
    events = [Event(f"e.{n}", at, "m-1", "00", "negative", 0.9, text="Acme") for n, at in enumerate((now, 0.0, now))]
    if bursts(warn, events):
        raise Broken("a clock that was at 1970 raised an early warning")


@contextmanager
def clock_at(offset_s: float) -> Iterator[None]:
    """Inside the block every clock of tuneloop that tells the time of day is so far off."""
    real_time, real_ns = time.time, time.time_ns

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + timedelta(seconds=offset_s)

    with ExitStack() as stack:
        stack.enter_context(patch.object(time, "time", lambda: real_time() + offset_s))
        stack.enter_context(patch.object(time, "time_ns", lambda: real_ns() + int(offset_s * 1e9)))
        for name, module in list(sys.modules.items()):
            if name.startswith("tuneloop.") and getattr(module, "datetime", None) is datetime:
                stack.enter_context(patch.object(module, "datetime", Shifted))
        yield
