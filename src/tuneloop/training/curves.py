"""The curves of a run while it is at work: read on from where the last reading ended, thinned for the eye."""

from __future__ import annotations

import json
import math
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.training.logs import METRICS

MOST_POINTS = 2000
"""Of one curve, so that a browser stays quick."""

DEV = "dev_"
"""Begins the names of figures on the dev split."""

Points = list[tuple[int, float]]


class Curves:
    """What metrics.jsonl holds by now.

    Args:
        folder: the run's folder.
        clock: seconds that never go back, by which the speed is told.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = folder / METRICS
        self._clock = clock
        self._one = threading.Lock()
        self._forget()
        self._see(None)

    def _forget(self) -> None:
        self._offset, self.step = 0, 0
        self._steps: dict[str, array[int]] = {}
        self._values: dict[str, array[float]] = {}

    def _see(self, worker: int | None) -> None:
        """Begin to measure the speed of a process."""
        self._worker = worker
        self._seen: int | None = None
        self._moves: list[tuple[float, int]] = []

    def read(self, *, worker: int | None = None) -> bool:
        """Take in what was written since; whether that was anything. Any thread may call it.

        Args:
            worker: the process that is at the run, whose speed is told from two readings at which it had come further.
        """
        with self._one:
            before = (self._offset, self.step)
            try:
                if self._path.stat().st_size < self._offset:  # a resumed run, cut back to its checkpoint
                    self._forget()
                self._read_on()
            except FileNotFoundError:
                self._forget()
            self._pace(worker)
            return (self._offset, self.step) != before

    def _pace(self, worker: int | None) -> None:
        if worker is None:
            return
        if worker != self._worker or self.step < (self._seen or 0):
            self._see(worker)
        if self._seen is not None and self.step > self._seen:
            self._moves = [*self._moves[:1], (self._clock(), self.step)]
        self._seen = self.step

    def _read_on(self) -> None:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]  # the last line may be half written
        rows = list(_rows(whole))
        steps = [self.step, *(row["step"] for row in rows if row)]
        if self._offset and (None in rows or steps != sorted(steps)):  # cut back and grown again since the last reading
            self._forget()
            self._read_on()
            return
        for row in rows:
            if row and row["step"] >= self.step:
                self._take(row)
        self._offset += len(whole)

    def _take(self, row: dict[str, Any]) -> None:
        self.step = row["step"]
        for name, value in row.items():
            if name != "step" and isinstance(value, int | float) and math.isfinite(value):
                self._steps.setdefault(name, array("q")).append(self.step)
                self._values.setdefault(name, array("d")).append(value)

    @property
    def names(self) -> list[str]:
        """Of the curves, in the order in which they came."""
        return list(self._values)

    def last(self, name: str) -> float | None:
        """The newest value of a curve."""
        values = self._values.get(name)
        return values[-1] if values else None

    def best(self, name: str) -> float | None:
        """The highest value of a curve."""
        return max(self._values.get(name, ()), default=None)

    def points(self, name: str, *, most: int = MOST_POINTS) -> Points:
        """Step and value, at most `most` of them: of each stretch of a longer curve its lowest and its highest."""
        with self._one:
            steps, values = (np.array(each.get(name, ())) for each in (self._steps, self._values))
        if len(steps) > most:
            kept = _extremes(values, most // 2)
            steps, values = steps[kept], values[kept]
        return list(zip(steps.astype(int).tolist(), values.tolist(), strict=True))

    def seconds_left(self, total: int) -> float | None:
        """How long the steps up to `total` will take at the speed of the process at work; None before it is known."""
        with self._one:
            if len(self._moves) < 2:
                return None
            (first_s, first), (last_s, last) = self._moves
            return max(0, total - self.step) * (last_s - first_s) / (last - first)


@lru_cache(maxsize=64)
def curves_of(folder: Path) -> Curves:
    """The curves of a run, which all who look at it share: so that a page that is opened again knows the speed."""
    return Curves(folder)


def _rows(lines: bytes) -> Iterator[dict[str, Any] | None]:
    """What the lines hold; None for one that is damaged or begins in the middle."""
    for line in lines.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        yield found if isinstance(found, dict) and isinstance(found.get("step"), int) else None


def _extremes(values: np.ndarray[Any, np.dtype[Any]], stretches: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Places, ascending, of the lowest and the highest value of each of so many stretches."""
    ends = np.linspace(0, len(values), stretches + 1).astype(int)
    places = (
        {start + int(part.argmin()), start + int(part.argmax())}
        for start, part in ((a, values[a:b]) for a, b in pairwise(ends))
    )
    return np.array(sorted(place for pair in places for place in pair))
