"""Published collections of tasks, trained and scored as their authors ask: GLUE and CLUE."""

from __future__ import annotations

from tuneloop.core.registry import Registry
from tuneloop.suites.base import Suite

SUITES: Registry[Suite] = Registry(
    "benchmark suite",
    "tuneloop.suites",
    {"clue": "tuneloop.suites.clue:CLUE", "glue": "tuneloop.suites.glue:GLUE"},
)
