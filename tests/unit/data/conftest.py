"""What the tests of the data layer share: a configuration, a task and a workspace in two lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.core.config import parse_config
from tuneloop.core.paths import Workspace
from tuneloop.data.snapshot import Snapshot, build_snapshot
from tuneloop.tasks import task_class

Build = Callable[..., Snapshot]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """A function that makes a snapshot of a file in `tmp_path`, with dotted settings of data."""

    def make(source: str = "data.csv", *, task: str = "classification", seed: int = 0, **data: Any) -> Snapshot:
        config = parse_config({"data": {"source": source} | data, "task": task, "seed": seed})
        workspace = Workspace(tmp_path / "workspace")
        return build_snapshot(config, task=task_class(config.task), workspace=workspace, base=tmp_path, quiet=True)

    return make


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """60 different texts with two labels, as data.csv."""
    path = tmp_path / "data.csv"
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows(60)), encoding="utf-8")
    return path


def rows(count: int) -> list[tuple[str, str]]:
    """Different texts, none near another, with labels good and bad in turn."""
    return [
        (f"{number * 7919:x} {number**3:o} {number * 104729:b}", "good" if number % 2 else "bad")
        for number in range(1, count + 1)
    ]
