"""What is done in pieces, so that large files fit into memory, gives what it gives in one piece."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.core import hashing
from tuneloop.core.i18n import use_language
from tuneloop.core.preparation import CleanConfig
from tuneloop.data import check as checking
from tuneloop.data import label_errors, near
from tuneloop.data.check import check, summary_rows
from tuneloop.data.check_page import check_page
from tuneloop.data.duplicates import DuplicateReport, remove_duplicates
from tuneloop.data.encoding import ANY_LINE
from tuneloop.data.examples import Examples, Input
from tuneloop.data.near import near_pairs
from tuneloop.data.readers import read_table
from tuneloop.data.text_statistics import HAN, LATIN, LETTER, RUNS

ROWS = 20_000
BYTES_PER_ROW = 2000
"""Beside texts of about 60 characters; it was 4,300 when all signatures were sorted together with their rows."""


def texts(count: int) -> list[str]:
    chance = random.Random(0)
    words = ["".join(chance.choices("abcdefghijklm", k=chance.randint(2, 9))) for _ in range(3000)]
    made = [" ".join(chance.choices(words, k=10)) for _ in range(count)]
    return [f"{made[row - 7]}!" if row % 30 == 10 else text for row, text in enumerate(made)]


@given(st.text(st.sampled_from('a,"\r\n\x0b\u2028好'), max_size=40))
@settings(deadline=None, max_examples=300)
def test_lines_of_a_table_are_those_of_a_file(text: str) -> None:
    assert [found[0] for found in ANY_LINE.finditer(text)] == list(io.StringIO(text, newline=""))


def test_breaks_inside_of_cells_stay_as_they_are(tmp_path: Path) -> None:
    cells = ["one\r\ntwo", "one\rtwo", "one\n\ntwo", "one\u2028two", ""]
    with (tmp_path / "data.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((cell, "a") for cell in cells)])
    assert read_table("data.csv", base=tmp_path).columns["text"] == cells


@pytest.mark.parametrize("ending", ["", "\n", "\n\n  \n"])
def test_lines_of_json_are_numbered_with_the_blank_ones(ending: str, tmp_path: Path) -> None:
    lines = [json.dumps({"text": "a"}), "", json.dumps({"text": "b\u2028c"}), json.dumps({"text": ""})]
    (tmp_path / "data.jsonl").write_text("\n".join(lines) + ending, encoding="utf-8")
    table = read_table("data.jsonl", base=tmp_path)
    assert (list(table.rows), table.columns["text"]) == ([1, 3, 4], ["a", "b\u2028c", ""])


@given(st.lists(st.text(max_size=20), max_size=10), st.integers(1, 60))
def test_a_hash_of_texts_is_one_of_each_behind_its_length(rows: list[str], size: int) -> None:
    digest = hashlib.sha256()
    for text in rows:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashing, "CHUNK_BYTES", size)
        assert hashing.hash_texts(rows) == digest.hexdigest()


@given(st.text(st.characters(), max_size=60))
def test_runs_of_characters_are_as_many_as_the_characters(text: str) -> None:
    for one, run in zip((HAN, LATIN, LETTER), RUNS, strict=True):
        assert sum(map(len, run.findall(text))) == len(one.findall(text))


@pytest.mark.parametrize("size", [1, 90, 4000])
def test_near_duplicates_do_not_hang_on_the_pieces(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = texts(400)
    whole = sorted(near_pairs(rows, 0.9))
    monkeypatch.setattr(near, "CHUNK_CHARACTERS", size)
    assert len(whole) > 5 and sorted(near_pairs(rows, 0.9)) == whole


def test_the_search_for_duplicates_needs_little_beside_the_texts() -> None:
    rows = Examples([str(row) for row in range(ROWS)], texts(ROWS), ["a"] * ROWS)
    report = DuplicateReport()
    tracemalloc.start()
    try:
        kept = remove_duplicates(rows, CleanConfig(), report, place=str)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.near > ROWS / 40 and len(kept) + report.near + report.exact == ROWS
    assert peak < BYTES_PER_ROW * ROWS


def test_tokens_are_counted_in_pieces(reviews: Path, build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: Counter[int] = Counter()

    def count(inputs: Sequence[Input]) -> np.ndarray[Any, Any]:
        sizes[len(inputs)] += 1
        return np.array([len(str(text)) for text in inputs])

    whole = check(build(), seed=0, count_tokens=count, max_tokens=20, quiet=True)
    monkeypatch.setattr(checking, "COUNTED_AT_ONCE", 7)
    sizes.clear()
    assert check(build(), seed=0, count_tokens=count, max_tokens=20, quiet=True) == whole
    assert max(sizes) == 7 and sum(size * often for size, often in sizes.items()) == 60


def test_a_sample_is_called_one(tmp_path: Path, build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{text},{'good' if row % 2 else 'bad'}\n" for row, text in enumerate(texts(60))]
    (tmp_path / "data.csv").write_text("text,label\n" + "".join(lines))
    snapshot = build()
    assert "sample" not in check_page(check(snapshot, seed=0, quiet=True))
    monkeypatch.setattr(label_errors, "MAX_ROWS", 52)
    report = check(snapshot, seed=0, quiet=True)
    assert (report.examined, report.drawn_from) == (52, sum(report.rows.values()))
    said = dict(summary_rows(report))["Suspected label errors"]
    assert said.endswith(f"of 52 rows, a sample of {report.drawn_from}") and said in check_page(report)
    use_language("zh")
    try:
        assert f"从 {report.drawn_from} 行中抽样" in check_page(report)
    finally:
        use_language(None)
