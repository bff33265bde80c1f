"""The same input gives the same snapshot, byte for byte; a flipped byte is noticed."""

from __future__ import annotations

import json
import random
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneloop.core.errors import DataError, StorageError
from tuneloop.core.hashing import hash_file
from tuneloop.core.paths import Workspace
from tuneloop.data.near import comparable, jaccard
from tuneloop.data.snapshot import Snapshot, find_snapshot, open_snapshot

SPLITS = ("train", "dev", "test")


def contents(snapshot: Snapshot) -> dict[str, str]:
    return {path.name: hash_file(path) for path in sorted(snapshot.path.iterdir())}


def test_the_same_input_gives_the_same_bytes_anywhere(tmp_path: Path, build: Any, reviews: Path) -> None:
    from tuneloop.core import fsio

    first = build()
    before = contents(first)
    fsio.remove_dir(first.path)
    again = build()
    assert (again.hash, again.path, contents(again)) == (first.hash, first.path, before)
    (tmp_path / "other").mkdir()
    moved = tmp_path / "other" / "data.csv"
    reviews.rename(moved)
    assert contents(build("other/data.csv")) == before
    assert before.keys() == {"dataset.json", "train.parquet", "dev.parquet", "test.parquet"}


def test_settings_and_rows_change_the_hash(build: Any, reviews: Path) -> None:
    hashes = {build().hash, build(seed=1).hash, build(clean={"unicode": "NFKC"}).hash, build(split={"dev": 0.2}).hash}
    reviews.write_text(reviews.read_text().replace("good", "great", 1))
    assert len(hashes | {build().hash}) == 5


def test_every_row_is_in_one_split_with_its_columns(tmp_path: Path, build: Any) -> None:
    lines = [f"t{number * 7919:x} {number**5:o},{'xyz'[number % 3]},{number},s{number % 4}\n" for number in range(90)]
    (tmp_path / "data.csv").write_text("review,class,key,shop\n" + "".join(lines))
    snapshot = build(columns={"text": "review", "label": "class", "id": "key"})
    parts = [snapshot.split(name) for name in SPLITS]
    assert sorted(int(name) for part in parts for name in part.ids) == list(range(90))
    assert [len(part) for part in parts] == [72, 9, 9]
    assert snapshot.labels == ("x", "y", "z") and snapshot.task == "classification" and snapshot.name == "data"
    for part in parts:
        assert [f"s{int(name) % 4}" for name in part.ids] == part.columns["shop"]
        assert ["xyz"[int(name) % 3] for name in part.ids] == part.labels


def test_a_second_build_does_not_read_the_rows_again(build: Any, reviews: Path, monkeypatch: Any) -> None:
    first = build()
    monkeypatch.setattr("tuneloop.data.snapshot.read_table", None)
    assert build().hash == first.hash


@pytest.mark.parametrize("file", ["train.parquet", "test.parquet", "dataset.json"])
def test_a_flipped_byte_is_noticed(file: str, tmp_path: Path, build: Any, reviews: Path) -> None:
    snapshot = build()
    path = snapshot.path / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    for attempt in (
        lambda: open_snapshot(snapshot.path),
        build,
        lambda: find_snapshot(snapshot.hash, Workspace(tmp_path / "workspace")),
    ):
        with pytest.raises(DataError, match="is damaged"):
            attempt()


def test_a_snapshot_is_found_by_its_hash(tmp_path: Path, build: Any, reviews: Path) -> None:
    workspace = Workspace(tmp_path / "workspace")
    assert find_snapshot(build().hash, workspace).hash == build().hash
    with pytest.raises(DataError, match="no snapshot 000000000000"):
        find_snapshot("0" * 64, workspace)
    with pytest.raises(DataError, match="no split called 'tset'"):
        build().split("tset")


def test_a_damaged_record_of_the_cache_is_made_again(tmp_path: Path, build: Any, reviews: Path) -> None:
    first = build()
    (record,) = (tmp_path / "workspace" / "cache" / "snapshots").iterdir()
    record.write_text("{")
    assert build().hash == first.hash and json.loads(record.read_text()) == {"hash": first.hash}


def test_a_disk_that_refuses_leaves_nothing_behind(tmp_path: Path, build: Any, reviews: Path, monkeypatch: Any) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        build()
    assert list((tmp_path / "workspace" / "snapshots").glob("*")) == []


@pytest.mark.parametrize("duplicates", ["near", "exact", "keep"])
@pytest.mark.parametrize("by", ["label", "random", "group", "time"])
def test_a_duplicate_never_crosses_a_split(duplicates: str, by: str, tmp_path: Path, build: Any) -> None:
    chance = random.Random(1)
    texts = [" ".join(chance.choices(["alpha", "beta", "gamma", "delta", "好的"], k=8)) for _ in range(40)]
    texts += [text + "." for text in texts] + texts[:10]
    lines = [
        f"{text},{'ab'[len(text) % 3 % 2]},g{row % 30},2026-01-{row % 28 + 1:02}\n" for row, text in enumerate(texts)
    ]
    (tmp_path / "data.csv").write_text("text,label,who,day\n" + "".join(lines), encoding="utf-8")
    snapshot = build(
        clean={"duplicates": duplicates, "conflicts": "first"},
        columns={"group": "who", "time": "day"},
        split={"by": by, "dev": 12, "test": 12},
    )
    parts = {name: [comparable(text) for text in snapshot.split(name).texts] for name in SPLITS}
    assert all(parts.values())
    for one, two in combinations(SPLITS, 2):
        assert not [(a, b) for a in parts[one] for b in parts[two] if jaccard(a, b) >= 0.9]


def test_own_dev_and_test_files_stay_whole_and_drive_leaks_out_of_train(
    tmp_path: Path, build: Any, reviews: Path
) -> None:
    lines = reviews.read_text().splitlines()
    (tmp_path / "test.csv").write_text(
        "\n".join([lines[0], lines[1], lines[2].upper().replace("BAD", "bad"), lines[1]])
    )
    snapshot = build(test="test.csv")
    assert len(snapshot.split("test")) == 3 and snapshot.report["duplicates"]["leaks"].keys() <= {"train", "dev"}
    assert sum(snapshot.report["duplicates"]["leaks"].values()) == 2
    assert sum(len(snapshot.split(name)) for name in ("train", "dev")) == 58


def test_pairs_numbers_and_several_classes_are_kept_alike(tmp_path: Path, build: Any) -> None:
    chance = np.random.default_rng(0)
    rows = [
        {"text": f"{n * 7919:x} {n**5:o}", "other": f"{n**7:x}", "same": "yn"[n % 2], "topics": ["p", "q"][: n % 3],
         "stars": float(chance.normal()), "extra": {"n": n}, "big": n << 70, "half": "\ud83d", "none": None}
        for n in range(60)
    ]  # fmt: skip
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pair = build("data.jsonl", task="pair", columns={"label": "same", "pair": "other"})
    number = int(pair.split("dev").ids[0]) - 1
    assert pair.split("dev").pairs is not None and pair.split("dev").pairs[0] == rows[number]["other"]
    assert (
        pair.split("dev").columns["extra"][0] == {"n": number} and pair.split("dev").columns["big"][0] == number << 70
    )
    assert pair.split("dev").columns["half"][0] == "?" and pair.split("dev").columns["none"][0] is None
    topics = build("data.jsonl", task="multilabel", columns={"label": "topics"})
    assert topics.labels == ("p", "q") and set(topics.split("train").labels) == {(), ("p",), ("p", "q")}
    stars = build("data.jsonl", task="regression", columns={"label": "stars"})
    assert stars.labels == () and isinstance(stars.split("test").labels[0], float)
    with pytest.raises(DataError, match="needs a second text"):
        build("data.jsonl", task="pair", columns={"label": "same"})


def test_a_datasets_folder_with_splits_of_its_own(tmp_path: Path, build: Any) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    texts = [f"{number * 7919:x} {number**5:o}" for number in range(60)]
    whole = datasets.Dataset.from_dict({"text": texts, "label": [0, 1] * 30}, features=features)
    split = {"train": range(40), "validation": range(40, 50), "test": range(50, 60)}
    datasets.DatasetDict({name: whole.select(rows) for name, rows in split.items()}).save_to_disk(str(tmp_path / "set"))
    snapshot = build("set")
    assert [len(snapshot.split(name)) for name in SPLITS] == [40, 10, 10]
    assert snapshot.labels == ("no", "yes") and snapshot.split("test").texts == texts[50:]


def lines_of(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def test_many_questions_about_one_long_passage_are_no_duplicates(tmp_path: Path, build: Any) -> None:
    passages = [f"{number * 7919:b} Ada wrote {number**5:o} notes. " * 12 for number in range(1, 9)]
    rows = [
        {"text": f"who wrote {word}?", "pair": passage, "label": "Ada"}
        for passage in passages
        for word in ("this", "that line", "the book", "it all")
    ]
    lines_of(tmp_path, [*rows, rows[0] | {"text": "Who wrote this?"}])
    snapshot = build("data.jsonl", task="qa", columns={"pair": "pair"}, split={"dev": 0.25, "test": 0.25})
    splits = {name: snapshot.split(name) for name in SPLITS}
    assert sum(map(len, splits.values())) == len(rows)
    assert snapshot.report["duplicates"]["near"] == 1
    for one, other in combinations(SPLITS, 2):
        assert not set(splits[one].pairs) & set(splits[other].pairs)  # a passage stands in one split


def test_a_query_with_several_passages_stands_in_one_split(tmp_path: Path, build: Any) -> None:
    texts = [f"{number * 7919:x} {number**3:o}" for number in range(1, 121)]
    lines_of(tmp_path, [{"text": f"ask {texts[number // 3]}", "pair": text} for number, text in enumerate(texts)])
    snapshot = build("data.jsonl", task="retrieval", columns={"pair": "pair"}, split={"dev": 0.25, "test": 0.25})
    queries = [set(snapshot.split(name).texts) for name in SPLITS]
    assert sum(map(len, queries)) == 40 and len(set.union(*queries)) == 40


def test_a_query_that_differs_in_spaces_alone_is_the_same_one(tmp_path: Path, build: Any) -> None:
    texts = [f"{number * 7919:x} {number**3:o}" for number in range(1, 41)]
    rows = [{"text": f"ask {text}", "pair": text} for text in texts]
    lines_of(tmp_path, [*rows, {"text": f"ask  {texts[0]}", "pair": texts[0]}])
    snapshot = build("data.jsonl", task="retrieval", columns={"pair": "pair"}, clean={"duplicates": "exact"})
    assert sum(len(snapshot.split(name)) for name in SPLITS) == 40
    assert snapshot.report["duplicates"]["conflicts"] == 0


def test_by_time_too_a_query_stands_in_one_split(tmp_path: Path, build: Any) -> None:
    texts = [f"{number * 7919:x} {number**3:o}" for number in range(1, 121)]
    rows = [
        {"text": f"ask {texts[number % 100]}", "pair": text, "day": f"2026-{number // 20 + 1:02}-{number % 20 + 1:02}"}
        for number, text in enumerate(texts)
    ]
    lines_of(tmp_path, rows)
    columns, split = {"pair": "pair", "time": "day"}, {"by": "time", "dev": 0.2, "test": 0.2}
    snapshot = build("data.jsonl", task="retrieval", columns=columns, split=split)
    for one, other in combinations(SPLITS, 2):
        assert not set(snapshot.split(one).texts) & set(snapshot.split(other).texts)
    assert [len(snapshot.split(name)) for name in ("train", "dev", "test")] == [52, 24, 24]
    assert snapshot.report["duplicates"]["leaks"] == {"train": 20}
    for row in rows:
        row["text"] = "ask the same"
    lines_of(tmp_path, rows)
    with pytest.raises(DataError, match="the train split would be empty"):
        build("data.jsonl", task="retrieval", columns=columns, split=split)
