"""Alerts in a file, a line each."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tuneloop.core.fsio import storage_errors
from tuneloop.watch.alerts.base import Alert, Channel


class Log(Channel):
    """Writes alerts as JSON lines, each flushed to the disk.

    Args:
        path: the file; it grows.
    """

    name = "log"

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, alert: Alert) -> None:
        line = json.dumps(alert.to_json(), ensure_ascii=False) + "\n"
        with storage_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
