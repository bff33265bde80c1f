"""Examples come back from their file as they were, however many rows are written at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuneloop.data import stored
from tuneloop.data.examples import Examples, Span
from tuneloop.data.stored import hash_examples, read_examples, write_examples

LABELS = {
    "one class": ["a", "b", "a"],
    "several": [("a", "b"), (), ("b",)],
    "numbers": [0.0, -0.0, 2.5],
    "stretches": [(Span(0, 1, "x"),), (), (Span(1, 2, "y"), Span(2, 3, "x"))],
}
COLUMNS = {
    "words": ["x", None, "y\ud800"], "counts": [1, None, 3], "shares": [0.5, 1.0, None], "flags": [True, None, False],
    "of all kinds": [1, "abc", {"a": [1, None]}], "of two": ["1", 1, None], "nothing": [None, None, None],
}  # fmt: skip


@pytest.mark.parametrize("labels", list(LABELS))
@pytest.mark.parametrize("at_once", [1, 2, 10_000])
@pytest.mark.parametrize("pairs", [None, ["p", "q", ""]])
def test_rows_come_back(
    labels: str, at_once: int, pairs: list[str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "AT_ONCE", at_once)
    rows = Examples(["1", "2", "3"], ["one", "好", ""], LABELS[labels], pairs, COLUMNS)
    write_examples(tmp_path / "rows.parquet", rows)
    found = read_examples(tmp_path / "rows.parquet")
    assert (found.ids, found.texts, found.pairs) == (rows.ids, rows.texts, rows.pairs)
    assert list(map(repr, found.labels)) == list(map(repr, rows.labels))
    sound = COLUMNS | {"words": ["x", None, "y?"]}  # half a character is none
    assert {name: list(map(repr, values)) for name, values in found.columns.items()} == {
        name: list(map(repr, values)) for name, values in sound.items()
    }
    assert hash_examples(found) == hash_examples(Examples(rows.ids, rows.texts, rows.labels, pairs, sound))


def test_a_text_among_numbers_of_an_older_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "_as_json", lambda value: value if isinstance(value, str) else repr(value))
    write_examples(tmp_path / "rows.parquet", Examples(["1", "2"], ["a", "b"], ["x", "y"], None, {"k": [1, "abc"]}))
    assert read_examples(tmp_path / "rows.parquet").columns["k"] == [1, "abc"]


def test_no_rows_come_back(tmp_path: Path) -> None:
    write_examples(tmp_path / "rows.parquet", Examples([], []))
    assert len(read_examples(tmp_path / "rows.parquet")) == 0
