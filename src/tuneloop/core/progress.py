"""Progress for anything long: a live bar in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

PLAIN_INTERVAL_S = 5.0


class Bar(Protocol):
    """What the worker calls: how far it is, and a few words on how it goes."""

    def update(self, done: int, note: str = "") -> None:
        """Set how many of the total are done, and the note shown beside them."""


@contextmanager
def progress(title: str, total: int, *, done: int = 0, quiet: bool = False) -> Iterator[Bar]:
    """A bar on standard error that shows done, total, speed and remaining time.

    Args:
        title: what is being done.
        total: how many units there are.
        done: how many were done before (a resumed run); they do not count as speed.
        quiet: show nothing.
    """
    if quiet:
        yield _Silent()
    elif sys.stderr.isatty():
        with _live_bar(title, total, done) as bar:
            yield bar
    else:
        yield _Lines(title, total, done)


def note(sentence: str) -> None:
    """A line on standard error between two bars."""
    print(sentence, file=sys.stderr, flush=True)


class _Silent:
    def update(self, done: int, note: str = "") -> None:
        pass


class _Lines:
    """For logs and pipes: one line every few seconds, and the last."""

    def __init__(self, title: str, total: int, done: int) -> None:
        self.title, self.total, self.first = title, total, done
        self.started_s = self.printed_s = time.monotonic()

    def update(self, done: int, note: str = "") -> None:
        now_s = time.monotonic()
        if done < self.total and now_s - self.printed_s < PLAIN_INTERVAL_S:
            return
        self.printed_s = now_s
        rate = (done - self.first) / max(now_s - self.started_s, 1e-9)
        left_s = (self.total - done) / rate if rate else 0.0
        line = f"{self.title}: {done}/{self.total} {note} {format_duration(left_s)}"
        print(line.replace("  ", " "), file=sys.stderr, flush=True)


@contextmanager
def _live_bar(title: str, total: int, done: int) -> Iterator[Bar]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as rich_progress:
        task = rich_progress.add_task(title, total=total, completed=done, note="")

        class Live:
            def update(self, done: int, note: str = "") -> None:
                rich_progress.update(task, completed=done, note=note)

        yield Live()


def format_duration(seconds: float) -> str:
    """`seconds` for people: 8s, 3m 05s, 2h 10m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
