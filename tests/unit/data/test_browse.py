"""Rows of a snapshot are filtered and given a page at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tuneloop.core.errors import DataError
from tuneloop.data.browse import SnapshotTable, table_of
from tuneloop.data.snapshot import Snapshot

Build = Callable[..., Snapshot]


def test_filters_and_pages_give_every_row_once(build: Build, reviews: Path) -> None:
    snapshot = build()
    table = SnapshotTable(snapshot)
    seen = [table.page(start=start, count=7)[0] for start in range(0, 63, 7)]
    assert len({(row.split, row.id) for page in seen for row in page}) == len(table) == 60
    good, total = table.page(split="train", label="good", count=100)
    part = snapshot.split("train")
    assert total == len(good) == part.labels.count("good") and {row.label for row in good} == {"good"}
    text = part.texts[3]
    assert [row.text for row in table.page(search=text.upper())[0]] == [text]
    assert table.page(search="(.*")[1] == 0
    assert table.row("train", part.ids[3]).text == text
    assert table.counts()["good"]["train"] == part.labels.count("good")
    with pytest.raises(DataError, match="has no row"):
        table.row("dev", part.ids[3])


def test_rows_with_several_classes_are_found_by_each(tmp_path: Path, build: Build) -> None:
    texts = [f"{number * 7919:x} {number**3:o} {number * 104729:b}" for number in range(1, 61)]
    cells = ["a; b", "b", ""]
    lines = [f"{text},{cells[number % 3]}\n" for number, text in enumerate(texts)]
    (tmp_path / "data.csv").write_text("text,label\n" + "".join(lines))
    table = table_of(build(task="multilabel").path)
    assert [table.page(label=name)[1] for name in ("a", "b", "c")] == [20, 40, 0]
    assert {name: sum(counts.values()) for name, counts in table.counts().items()} == {"a": 20, "b": 40}
    assert {row.label for row in table.page(label="a")[0]} == {("a", "b")}


def test_stretches_count_once_for_each_row_and_numbers_have_no_classes(tmp_path: Path, build: Build) -> None:
    rows = [
        f'{{"text": "{n * 7919:x} good {n**3:o} good", "spans": [[0, 2, "x"], [3, 4, "x"]]}}' for n in range(90, 130)
    ]
    (tmp_path / "data.jsonl").write_text("\n".join(rows))
    table = SnapshotTable(build("data.jsonl", task="tagging", columns={"label": "spans"}))
    assert sum(table.counts()["x"].values()) == table.page(label="x")[1] == len(table)
    (tmp_path / "data.csv").write_text(
        "text,label\n" + "".join(f"{n * 7919:x} {n**3:o} {n * 104729:b},{n}\n" for n in range(1, 61))
    )
    table = SnapshotTable(build(task="regression"))
    borders, counts = table.histogram(bins=4)
    assert table.counts() == {} and [borders[0], borders[-1]] == [1, 60] and sum(map(sum, counts.values())) == 60
