"""The large file of the benchmark is the same for a seed, with what it says was planted; every stage is timed."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.data_1m import stages
from benchmarks.data_1m_file import CHINESE, PLANTED, made_rows, write_file

ROWS = 3000


def test_a_seed_gives_the_same_rows_in_both_formats(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", "c.jsonl", "other.csv"):
        write_file(tmp_path / name, ROWS, seed=1 if name == "other.csv" else 0)
    first, other = ((tmp_path / name).read_bytes() for name in ("a.csv", "other.csv"))
    assert first == (tmp_path / "b.csv").read_bytes() != other
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        table = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    lines = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text(encoding="utf-8").splitlines()]
    assert table == [(row["text"], row["label"]) for row in lines] and len(table) == ROWS


def test_shares_are_those_that_are_stated() -> None:
    planted: Counter[str] = Counter()
    rows = list(made_rows(ROWS, planted, seed=3))
    assert planted.keys() <= PLANTED.keys()
    assert sum(planted.values()) / ROWS == pytest.approx(sum(PLANTED.values()), abs=0.01)
    chinese = sum(any("\u4e00" <= letter <= "\u9fff" for letter in text) for text, _ in rows)
    assert chinese / ROWS == pytest.approx(CHINESE, abs=0.04)


@pytest.mark.long
def test_every_stage_is_timed_and_what_was_planted_is_found(tmp_path: Path) -> None:
    planted = write_file(tmp_path / "texts.csv", ROWS)
    found = stages(tmp_path / "texts.csv")
    names = ["read, clean", "duplicates", "split", "save", "check", "tokenise", "tokens from the cache"]
    assert [*found["peak_mib"]] == names and [*found["seconds"]] == [*names, "all"]
    assert found["rows"]["source"] == ROWS and found["tokens"] > 10 * found["rows"]["train"]
    assert found["removed"]["exact"] >= planted["exact"] and found["removed"]["near"] >= planted["near"] / 2
