"""What becomes of a release once it is served: events, feedback, drift, alerts."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PLACES = {
    "Event": "base", "SqliteStore": "sqlite_store", "Warn": "early.rules", "Warned": "early.rules",
    "bursts": "early.rules", "Planted": "early.scoring", "score": "early.scoring", "channels_of": "alerts.tell",
    "tell": "alerts.tell",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    # imported when it is used: the command line only needs the names of its commands
    if name in _PLACES:
        return getattr(import_module(f"tuneloop.watch.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'tuneloop.watch' has no attribute {name!r}")
