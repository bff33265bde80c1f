"""How far a job is, told from the lines that it prints."""

from __future__ import annotations

import re
from dataclasses import dataclass

LINE = re.compile(r"^(?P<title>[^\n]{1,60}): (?P<done>\d+)/(?P<total>\d+)(?P<note>[^\n]*)$", re.MULTILINE)
"""As `core.progress` writes where there is no terminal."""


@dataclass(frozen=True)
class HowFar:
    """The newest line of progress.

    Args:
        title: what is being done.
        done: how many of `total`.
        note: what is said of it, and the time that is left.
    """

    title: str
    done: int
    total: int
    note: str


def how_far(output: str) -> HowFar | None:
    """The last line of progress in what a job printed; None before there is one."""
    found = next(reversed(list(LINE.finditer(output))), None)
    if found is None or not int(found["total"]):
        return None
    return HowFar(
        found["title"], min(int(found["done"]), int(found["total"])), int(found["total"]), found["note"].strip()
    )
