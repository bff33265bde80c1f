"""Every format and encoding gives the same rows."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuneloop.core.config import DataConfig
from tuneloop.core.errors import DataError, MissingExtraError
from tuneloop.data.labelled import read_unlabelled
from tuneloop.data.readers import read_table
from tuneloop.data.readers.lines import text_lines
from tuneloop.data.readers.samples import SAMPLES, Sample
from tuneloop.tasks import TASKS

ROWS = [
    ("这部电影很好看，我喜欢", "好"),
    ("服务态度太差了，再也不来", "差"),
    ("a plain text", "好"),
    ('say "hi", twice\nhere', "差"),
]


def delimited(mark: str) -> str:
    lines = [f'"{text}"'.replace('say "hi"', 'say ""hi""') + f"{mark}{label}\r\n" for text, label in ROWS]
    return f"text{mark}label\r\n" + "".join(lines)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("format", ["csv", "tsv", "semicolon", "jsonl"])
def test_every_text_format_in_every_encoding_gives_the_same_rows(format: str, encoding: str, tmp_path: Path) -> None:
    text = delimited({"csv": ",", "tsv": "\t", "semicolon": ";"}.get(format, ","))
    if format == "jsonl":
        text = "\n".join(json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in ROWS)
    path = tmp_path / f"data.{format if format != 'semicolon' else 'csv'}"
    path.write_bytes(text.encode(encoding))
    table = read_table(path.name, base=tmp_path)
    assert [value.replace("\r\n", "\n") for value in table.columns["text"]] == [text for text, _ in ROWS]
    assert table.columns["label"] == [label for _, label in ROWS]


def test_western_text_is_not_taken_for_chinese(tmp_path: Path) -> None:
    text = "text,label\n" + "déjà vu à la crème brûlée, était très bon,a\n".replace(", ", " ") * 30
    (tmp_path / "data.csv").write_bytes(text.encode("cp1252"))
    assert read_table("data.csv", base=tmp_path).columns["text"][0] == "déjà vu à la crème brûlée était très bon"


def test_a_named_encoding_must_fit(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"text,label\nabc,a\n" + "été,b\n".encode("latin-1"))
    assert read_table("data.csv", base=tmp_path, encoding="latin-1").columns["text"][1] == "été"
    with pytest.raises(DataError, match=r"data.csv, line 3: the bytes are not utf-8"):
        read_table("data.csv", base=tmp_path, encoding="utf-8")


def test_parquet_gives_its_values_and_rows(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": ["a", "b"], "label": [1, 2]}), buffer)
    (tmp_path / "data.parquet").write_bytes(buffer.getvalue())
    table = read_table("data.parquet", base=tmp_path)
    assert table.columns == {"text": ["a", "b"], "label": [1, 2]}
    assert table.place(1, "label") == 'data.parquet, row 2, column "label"'


def test_a_text_file_gives_its_lines_and_a_folder_their_classes(tmp_path: Path) -> None:
    (tmp_path / "pos.txt").write_bytes("很好\r\n\n不错\u2028啊\n".encode("gb18030"))
    (tmp_path / "neg.txt").write_text("差", encoding="gb18030")
    table = read_table("pos.txt", base=tmp_path, encoding="gb18030")
    assert table.columns == {"text": ["很好", "不错\u2028啊"]} and list(table.rows) == [1, 3]
    both = read_table(".", base=tmp_path, format="txt", encoding="gb18030")
    assert both.columns == {"text": ["差", "很好", "不错\u2028啊"], "label": ["neg", "pos", "pos"]}
    assert "row 2 (line 1)" in both.place(1) and list(both.rows) == [1, 2, 3]


def test_a_key_that_comes_late_is_none_before(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"a": 1}\n\n{"a": 2, "b": 3}\n{"b": 4}\n')
    table = read_table("data.jsonl", base=tmp_path)
    assert table.columns == {"a": [1, 2, None], "b": [None, 3, 4]} and list(table.rows) == [1, 3, 4]


def test_an_index_without_a_name_gets_one(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(",text\n0,a\n")
    assert read_table("data.csv", base=tmp_path).columns == {"column_1": ["0"], "text": ["a"]}


def test_a_sample_whose_package_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SAMPLES, "nowhere", Sample("no_such_package", "data.csv"))
    with pytest.raises(MissingExtraError, match="tuneloop\\[samples\\]"):
        read_table("sample:nowhere", base=Path())


def test_rows_to_predict_keep_every_column_and_need_no_label(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("key,text,pair\n7,,x\n8,b,y\n")
    config = DataConfig(source="train.csv")
    rows = read_unlabelled("new.csv", config, base=tmp_path)
    assert rows.texts == ["", "b"] and rows.pairs is None and rows.labels == []
    assert list(rows.columns) == ["key", "text", "pair"]
    paired = config.model_copy(update={"columns": config.columns.model_copy(update={"pair": "pair"})})
    assert read_unlabelled("new.csv", paired, base=tmp_path, task=TASKS.get("pair")).pairs == ["x", "y"]


def test_lines_come_one_by_one_and_have_a_limit() -> None:
    stream = io.BytesIO("\ufeff好\r\n\nlast".encode())
    lines = text_lines(stream, max_chars=10)
    assert next(lines) == "好" and stream.tell() < 12
    assert list(lines) == ["", "last"]
    with pytest.raises(DataError, match="Line 2 of the input has more than 10"):
        list(text_lines(io.BytesIO(b"short\n" + b"x" * 50), max_chars=10))
    with pytest.raises(DataError, match="Line 1 of the input is not UTF-8"):
        list(text_lines(io.BytesIO(b"\xff\xfe\n"), max_chars=10))


def test_tagged_words_are_read_and_a_word_without_tag_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("-DOCSTART- -X- O\n\nAda NNP B-x\nran VB O\n\n\nBob\tB-x\n", encoding="utf-8")
    table = read_table("a.conll", base=tmp_path)
    assert table.columns == {"text": [["Ada", "ran"], ["Bob"]], "label": [["B-x", "O"], ["B-x"]]}
    assert table.place(1) == "a.conll, row 2 (line 7)"
    (tmp_path / "b.conll").write_text("Ada B-x\nran\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"b\.conll, row 2: 'ran' has no tag"):
        read_table("b.conll", base=tmp_path)
    (tmp_path / "c.txt").write_text("\n北京/ns 1/2/m\n", encoding="utf-8")
    table = read_table("c.txt", base=tmp_path, format="slashed")
    assert table.columns == {"text": [["北京", "1/2"]], "label": [["ns", "m"]]}
    (tmp_path / "d.txt").write_text("北京/ns 我\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"d\.txt, row 1: '我' has no tag"):
        read_table("d.txt", base=tmp_path, format="slashed")


def test_the_names_in_chinese_news_are_read() -> None:
    table = read_table("sample:names-zh", base=Path())
    words, tags = table.columns["text"][1], table.columns["label"][1]
    assert len(table) > 15000
    assert list(zip(words, tags, strict=True))[:2] == [("中共中央", "B-organisation"), ("总书记", "O")]
    assert {tag for row in table.columns["label"] for tag in row} == {"O", "I-person", "B-place", "B-organisation"}
