"""Texts that lie in a file are the texts that were given, and reading a file never holds all of it."""

from __future__ import annotations

import json
import os
import pickle
import tracemalloc
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.core.errors import DataError, StorageError
from tuneloop.data import encoding, mapped
from tuneloop.data.encoding import ANY_LINE, LINE, decode, read_lines
from tuneloop.data.mapped import Chained, Column, MappedTexts, pick
from tuneloop.data.readers import read_table

CHARACTERS = st.characters()  # halves of characters too


@given(st.lists(st.none() | st.text(CHARACTERS, max_size=9), max_size=12), st.integers(1, 30), st.data())
def test_texts_are_those_that_were_given(texts: list[str | None], kept: int, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapped, "KEPT_BYTES", kept)  # so that few letters need a file
        found = Column(texts).values()
    assert isinstance(found, MappedTexts) and len(found) == len(texts)
    assert found == texts and texts == found and list(found) == texts
    assert [found[row] for row in range(len(texts))] == texts
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=9)) if texts else []
    assert pick(found, rows) == pick(texts, rows) == [texts[row] for row in rows]
    assert found[1:7:2] == texts[1:7:2] and found[-3:] == texts[-3:]
    assert pickle.loads(pickle.dumps(found)) == found and found != [*texts, "more"]


@given(st.lists(st.none() | st.text(max_size=3) | st.integers() | st.booleans() | st.lists(st.integers(), max_size=2)))
def test_a_column_of_other_values_is_a_list(values: list[Any]) -> None:
    column = Column(values)
    assert len(column) == len(values) and column.values() == values
    others = [value for value in values if value is not None and not isinstance(value, str)]
    assert isinstance(column.values(), list) is bool(others)
    assert [type(each) for each in column.values()] == [type(each) for each in values]


def test_chained_sequences_are_one() -> None:
    parts = [["a", "b"], [], ["c"], []]
    chained = Chained(parts)
    assert list(chained) == ["a", "b", "c"] == [chained[row] for row in range(3)] == chained[:] and len(chained) == 3
    assert [chained.place(row) for row in range(3)] == [(0, 0), (0, 1), (2, 0)]
    assert chained[-1] == "c"
    for outside in (3, -4):
        with pytest.raises(IndexError):
            chained[outside]
    assert len(Chained([])) == 0


def test_a_full_disk_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mapped, "TemporaryFile", full)
    monkeypatch.setattr(mapped, "KEPT_BYTES", 3)
    monkeypatch.setattr(mapped.tempfile, "gettempdir", full)  # nor is there any other folder
    with pytest.raises(StorageError, match="No space left") as refused:
        mapped.mapped(["four"])
    assert "TMPDIR" in str(refused.value.hint)


@given(st.text(st.sampled_from('a,"\r\n\x0b\u2028好\u0a41\U0001f600'), max_size=40), st.integers(1, 9), st.booleans())
def test_lines_do_not_hang_on_the_pieces(text: str, size: int, any_end: bool) -> None:
    ends = ANY_LINE if any_end else LINE
    for name in ("utf-8", "utf-16-le", "gb18030"):
        data = text.encode(name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(encoding, "PIECE_BYTES", size)
            patch.setattr(encoding, "_from_the_beginning", lambda path, data=data: BytesIO(data))
            lines, told = read_lines(Path("a.txt"), encoding=name, ends=ends)
            assert (list(lines), told) == (ends.findall(text), name)


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("data", "line"),
    [(b"a\nb\n\xff\xff\nc\n\xe4\xbd\xa0\n", 3), ("好\n".encode() * 9 + b"\xe5", 10), (b"text\n" * 9 + b"b\0c\n", 10)],
)
def test_the_first_wrong_line_is_named(data: bytes, line: int, size: int, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    monkeypatch.setattr(encoding, "PIECE_BYTES", size)
    with pytest.raises(DataError, match=f"a.txt, line {line}:"):
        list(read_lines(tmp_path / "a.txt")[0])
    if b"\0" not in data:
        with pytest.raises(DataError, match=f"a.txt, line {line}:"):
            decode(data, path=Path("a.txt"))
    with pytest.raises(DataError, match=f"a.txt, line {line}:"):
        list(read_lines(tmp_path / "a.txt", encoding="utf-8")[0])


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_lines_of_wide_characters_are_counted(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "a.txt").write_bytes(("上\n" * 40 + "b\0c\n").encode(name))  # 上 has the byte of a line's end in it
    monkeypatch.setattr(encoding, "PIECE_BYTES", 9)
    with pytest.raises(DataError, match=r"a\.txt, line 41:"):
        list(read_lines(tmp_path / "a.txt", encoding=name)[0])


@pytest.mark.parametrize("name", ["utf-16", "utf-32"])
@pytest.mark.parametrize("mark", [True, False])
def test_the_order_of_bytes_is_that_of_the_machine_where_nothing_says_it(name: str, mark: bool, tmp_path: Path) -> None:
    data = "text\n好\n".encode(name)
    data = data if mark else data[len("".encode(name)) :]
    (tmp_path / "a.txt").write_bytes(data)
    assert "".join(read_lines(tmp_path / "a.txt", encoding=name)[0]) == "text\n好\n"
    assert decode(data, path=Path("a.txt"), encoding=name)[0] == "text\n好\n"


def test_a_pipe_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "a.jsonl"
    os.mkfifo(pipe)
    if os.fork() == 0:
        pipe.write_text('{"text": "a"}\n')
        os._exit(0)
    assert list(read_lines(pipe)[0]) == ['{"text": "a"}\n']
    os.wait()


def csv(rows: int) -> str:
    return "text,label\n" + "".join(f"{'a text ' * 40}{row},{row % 2}\n" for row in range(rows))


def jsonl(rows: int) -> str:
    return "".join(json.dumps({"text": f"{'a text ' * 40}{row}", "label": row % 2}) + "\n" for row in range(rows))


def txt(rows: int) -> str:
    return "".join(f"{'a text ' * 40}{row}\n" for row in range(rows))


@pytest.mark.parametrize("make", [csv, jsonl, txt], ids=lambda make: make.__name__)
def test_a_table_needs_a_fraction_of_its_file(make: Callable[[int], str], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(mapped, "KEPT_BYTES", 1 << 14)
    monkeypatch.setattr(encoding, "PIECE_BYTES", 1 << 14)
    name = f"data.{make.__name__}"
    (tmp_path / name).write_text(make(9000))
    read_table(name, base=tmp_path)  # what is imported and cached does not count
    tracemalloc.start()
    try:
        table = read_table(name, base=tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(table) == 9000 and table.columns["text"][8999].endswith(" 8999")
    assert peak < (tmp_path / name).stat().st_size / 2
