"""The curves of a run: metrics.jsonl, the truth, which a resumed run continues without doubles."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.training.reporters import Reporter, open_reporters

if TYPE_CHECKING:
    from tuneloop.training.checkpoint import Place

METRICS = "metrics.jsonl"


class MetricsLog:
    """Appends one JSON object per line, and tells the reporters.

    Args:
        folder: the run's folder.
        keep_bytes: what is already in the file and belongs to the checkpoint; the rest is cut off,
            as those steps will be done again.
        reporters: who else is told.
    """

    def __init__(self, folder: Path, *, keep_bytes: int, reporters: Sequence[Reporter] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / METRICS
        path.touch()
        os.truncate(path, min(keep_bytes, path.stat().st_size))
        # line by line, so that who looks on sees each step; the disk is waited for in `flush` alone
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._reporters = reporters

    def write(self, row: dict[str, Any]) -> None:
        """Add a line; it has the number of its step as `step`."""
        self._file.write(json.dumps(row) + "\n")
        figures = {name: value for name, value in row.items() if name != "step"}
        for reporter in self._reporters:
            reporter.write(row["step"], figures)

    def flush(self) -> int:
        """Put everything on the disk; returns the length of the file in bytes."""
        self._file.flush()
        os.fsync(self._file.fileno())
        for reporter in self._reporters:
            reporter.flush()
        return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self._file.close()
        for reporter in self._reporters:
            reporter.close()


class NoLog(MetricsLog):
    """That of a process beside the one that writes: nothing is kept."""

    def __init__(self) -> None:
        pass

    def write(self, row: dict[str, Any]) -> None:
        pass

    def flush(self) -> int:
        return 0

    def close(self) -> None:
        pass


def open_log(report_to: Sequence[str], folder: Path, place: Place, *, writes: bool) -> MetricsLog:
    """The curves of a run that begins or goes on at `place`.

    Args:
        writes: whether it is this process that keeps them.
    """
    if not writes:
        return NoLog()
    return MetricsLog(
        folder, keep_bytes=place.metrics_bytes, reporters=open_reporters(report_to, folder, done=place.step)
    )
