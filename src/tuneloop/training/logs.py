"""The curves of a run: metrics.jsonl, the truth, which a resumed run continues without doubles."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

METRICS = "metrics.jsonl"


class MetricsLog:
    """Appends one JSON object per line.

    Args:
        folder: the run's folder.
        keep_bytes: what is already in the file and belongs to the checkpoint; the rest is cut off,
            as those steps will be done again.
    """

    def __init__(self, folder: Path, *, keep_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / METRICS
        path.touch()
        os.truncate(path, min(keep_bytes, path.stat().st_size))
        self._file = path.open("a", encoding="utf-8")

    def write(self, row: dict[str, Any]) -> None:
        """Add a line."""
        self._file.write(json.dumps(row) + "\n")

    def flush(self) -> int:
        """Put everything on the disk; returns the length of the file in bytes."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self._file.close()
