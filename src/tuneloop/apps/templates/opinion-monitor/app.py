"""The monitor: `python app.py` serves the page at /, POST /api/items, GET /api/state, and the release's API at /v1."""

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Any

from companies import HERE, NAMES, about, alarms, tags
from fastapi import FastAPI

import tuneloop as tl
from tuneloop.apps import Feeds, Stream, add_intake, add_page, repeat
from tuneloop.watch import channels_of, tell

DATA = Path(os.environ.get("DATA", HERE / "data"))
INBOX = Path(os.environ.get("INBOX", DATA / "inbox"))
WINDOW_S = 31 * 86_400
"""What the page and the alarms look back on."""

BARS = 48


class Monitor:
    """The stream, the folder that is watched, and the alarms that were found."""

    def __init__(self, server: FastAPI) -> None:
        self.stream, self.feeds = Stream(server, DATA / "items.sqlite", window_s=WINDOW_S, tags=tags), Feeds(INBOX)
        self.channels = channels_of(tl.open_project("tuneloop.yaml").config.watch.drift.alerts, DATA)
        self.alarms: list = []
        self.looked_at = 0

    async def look(self) -> None:
        """Read what has changed in the folder, and tell alarms that were not told."""
        while batch := await asyncio.to_thread(self.feeds.next):
            await self.stream.keep(batch.items)
            self.feeds.done(batch)
        count = len(self.stream)
        if count != self.looked_at:
            self.alarms = await asyncio.to_thread(alarms, self.stream.recent)
            alerts = [one.alert(one.to_json(), "sentiment") for one in reversed(self.alarms)]
            for error in await asyncio.to_thread(tell, alerts, self.channels, DATA, cooldown_s=0):
                print(error, flush=True)
            self.looked_at = count

    def state(self, hours: int, company: str) -> dict[str, Any]:
        """What the page shows of the last hours of the items' time."""
        step = max(3600, hours * 3600 // BARS)
        first = int(self.stream.newest // step) + 1 - min(BARS, hours)
        bars, counts = [Counter() for _ in range(min(BARS, hours))], {name: Counter() for name in NAMES}
        chosen = [event for event in self.stream.recent if not company or company in about(event)]
        for event in chosen:
            if event.at >= first * step:
                bars[int(event.at // step) - first][event.label] += 1
        for event in self.stream.recent:
            for name in about(event) & set(NAMES) if event.at >= first * step else ():
                counts[name][event.label] += 1
        return {
            "newest": self.stream.newest, "items": len(self.stream), "looked_at": self.looked_at,
            "problems": self.feeds.problems, "step_s": step,
            "companies": [{"id": name, "name": NAMES[name], **counts[name]} for name in NAMES],
            "bars": [{"start": (first + number) * step, **bar} for number, bar in enumerate(bars)],
            "alarms": [{**one.to_json(), "company": NAMES[one.name]} for one in self.alarms[:20]],
            "latest": [
                {"id": event.id, "at": event.at, "text": event.text, "label": event.label, **event.tags,
                 "confidence": event.confidence, "about": [NAMES.get(name, name) for name in sorted(about(event))]}
                for event in sorted(chosen, key=lambda event: -event.at)[:30]
            ],
        }  # fmt: skip


def routes(server: FastAPI) -> FastAPI:
    """The server with the monitor's own routes."""
    monitor = Monitor(server)

    @server.get("/api/state")
    def state(hours: int = 48, company: str = "") -> dict[str, Any]:
        """Counts, alarms and the newest items."""
        return monitor.state(min(max(hours, 1), 744), company)

    add_intake(server, monitor.stream)
    repeat(server, monitor.look, every_s=1)
    add_page(server, HERE / "page.js", title="Opinion monitor")
    return server


if __name__ == "__main__":
    tl.serve(
        "sentiment", config="tuneloop.yaml", port=int(os.environ.get("PORT", "8000")), around=routes,
        ready=lambda url: print(f"The monitor is open at {url}", flush=True),
    )  # fmt: skip
