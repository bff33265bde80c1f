"""Snapshots of rows that name files: the files are part of what is hashed, and lie in the workspace once."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.media import square
from tuneloop.core.config import parse_config
from tuneloop.core.errors import DataError
from tuneloop.core.paths import Workspace
from tuneloop.data.labelled import read_unlabelled
from tuneloop.data.snapshot import Snapshot, build_snapshot
from tuneloop.media import store
from tuneloop.media.items import compose, parse
from tuneloop.tasks import task_class

Make = Callable[..., Snapshot]

LABELS = ["no", "yes"]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def goods(count: int = 40) -> list[dict[str, Any]]:
    return [
        {"text": f"{row * 7919:x} {row**3:o}", "picture": f"{row % 4}.png", "price": row, "label": LABELS[row % 2]}
        for row in range(count)
    ]  # fmt: skip


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """What makes a snapshot of data.csv, whose rows name four images in turn."""
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(square("red", number))
    write(tmp_path / "data.csv", goods())

    def build(modality: str = "text+image", columns: Any = None, task: str = "classification", **data: Any) -> Snapshot:
        given = {"source": "data.csv", "columns": columns or {"image": "picture"}} | data
        config = parse_config({"modality": modality, "task": task, "fusion": {"image": "scratch"}, "data": given})
        workspace = Workspace(tmp_path / "work")
        return build_snapshot(config, task=task_class(config.task), workspace=workspace, base=tmp_path, quiet=True)

    return build


def rows_of(snapshot: Snapshot) -> list[dict[str, Any]]:
    return [parse(text) for name in ("train", "dev", "test") for text in snapshot.split(name).texts]


def files(tmp_path: Path) -> list[Path]:
    return [path for path in Workspace(tmp_path / "work").media.rglob("*") if path.is_file()]


def test_every_image_lies_in_the_workspace_once_and_every_row_finds_its_own(tmp_path: Path, make: Make) -> None:
    found = rows_of(make())
    assert len(found) == 40 and len(files(tmp_path)) == 4
    expected = {row["text"]: square("red", int(row["picture"][0])) for row in goods()}
    for row in found:
        assert store.fetch(row["image"], [Workspace(tmp_path / "work").media]) == expected[row["text"]]
    times = {path: path.stat().st_mtime_ns for path in files(tmp_path)}
    again = make()
    assert rows_of(again) == found and {path: path.stat().st_mtime_ns for path in files(tmp_path)} == times


def test_the_hash_changes_with_the_bytes_of_an_image_though_the_file_of_rows_does_not(
    tmp_path: Path, make: Make
) -> None:
    first, path = make(), tmp_path / "2.png"
    before = path.stat()
    path.write_bytes(square("blue", 2))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # nothing but its bytes tells
    second = make()
    assert first.hash != second.hash and len(files(tmp_path)) == 5
    images = [{row["text"]: row["image"] for row in rows_of(each)} for each in (first, second)]
    assert sum(images[0][text] != images[1][text] for text in images[0]) == 10
    path.write_bytes(square("red", 2))
    assert make().hash == first.hash
    (tmp_path / "2.png").rename(tmp_path / "moved.png")
    write(tmp_path / "data.csv", [row | {"picture": row["picture"].replace("2", "moved")} for row in goods()])
    assert rows_of(make()) == rows_of(first)  # an image is its bytes, not its name


def test_an_image_that_is_gone_is_named_by_the_row_that_wants_it_even_if_the_snapshot_was_made_before(
    tmp_path: Path, make: Make
) -> None:
    make()
    (tmp_path / "1.png").unlink()
    with pytest.raises(DataError, match=r'data\.csv, row 3, column "picture": .*1\.png cannot be read'):
        make()


def test_equal_rows_with_other_images_are_no_duplicates(tmp_path: Path, make: Make) -> None:
    write(tmp_path / "data.csv", [row | {"text": f"the same {row['price'] // 4}"} for row in goods()])
    assert len(rows_of(make())) == 40
    write(
        tmp_path / "data.csv",
        [row | {"text": "the same", "label": LABELS[row["price"] % 2]} for row in goods()],
    )
    assert len(rows_of(make(split={"by": "random", "dev": 1, "test": 1}))) == 4


def test_rows_of_values_that_share_their_columns_names_are_no_leaks(tmp_path: Path, make: Make) -> None:
    names = [f"a_long_name_of_a_column_{number}" for number in range(6)]
    shared = [
        {name: "the same value" for name in names} | {"price": row, "label": LABELS[row % 2]} for row in range(40)
    ]
    write(tmp_path / "data.csv", shared[:30])
    write(tmp_path / "test.csv", shared[30:])
    found = make("tabular", {"tabular": [*names, "price"]}, test="test.csv")
    assert [len(found.split(name)) for name in ("train", "dev", "test")] == [27, 3, 10]
    write(tmp_path / "test.csv", shared[29:])  # one of them is in both
    assert [len(make("tabular", {"tabular": [*names, "price"]}, test="test.csv").split("test"))] == [11]
    assert make("tabular", {"tabular": [*names, "price"]}, test="test.csv").report["duplicates"]["leaks"]


def test_texts_of_items_are_mended_and_one_that_has_nothing_left_is_no_row(tmp_path: Path, make: Make) -> None:
    rows = goods()
    rows[0]["text"], rows[0]["picture"] = "a\ufeff  b", "0.png"
    rows[1]["text"], rows[1]["picture"] = "\ufeff", ""
    rows[2]["text"], rows[2]["picture"] = "\ufeff", "2.png"
    write(tmp_path / "data.csv", rows)
    found = make()
    mended = rows_of(found)
    assert len(mended) == 39 and {} not in mended
    assert any(row.get("text", "").split() == ["a", "b"] and "\ufeff" not in row["text"] for row in mended)
    assert [list(row) for row in mended if "text" not in row] == [["image"]]


def test_retrieval_has_texts_and_what_is_found_by_them(make: Make) -> None:
    train = make(task="retrieval").split("train")
    assert all(list(parse(text)) == ["text"] for text in train.texts)
    assert all(list(parse(pair)) == ["image"] for pair in train.pairs or [])
    assert len(train.pairs or []) == len(train) > 0


def test_rows_to_predict_are_items_too_whose_files_stay_where_they_are(tmp_path: Path, make: Make) -> None:
    write(
        tmp_path / "new.csv",
        [{"text": "a", "picture": "0.png", "note": "x"}, {"text": "b", "picture": "", "note": "y"}],
    )
    plain = {"source": "data.csv", "columns": {"image": "picture"}}
    config = parse_config({"modality": "text+image", "fusion": {"image": "scratch"}, "data": plain})
    found = read_unlabelled("new.csv", config.data, base=tmp_path, task=task_class(config.task))
    assert found.texts[1] == compose({"text": "b"})
    assert store.fetch(parse(found.texts[0])["image"], []) == square("red", 0)
    assert list(found.columns) == ["text", "picture", "note"]
    assert not files(tmp_path)
