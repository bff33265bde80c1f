"""Every bad input gives one clear error with file, place and remedy, and writes nothing."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.i18n import use_language

GOOD = "".join(f"text number {number},{'ab'[number % 2]}\n" for number in range(40))


def csv(*extra: str, header: str = "text,label\n") -> bytes:
    return (header + GOOD + "".join(extra)).encode()


def jsonl(*lines: str) -> bytes:
    good = [json.dumps({"text": f"text number {number}", "label": "ab"[number % 2]}) for number in range(40)]
    return "\n".join([*good, *lines]).encode() + b"\n"


def parquet(**columns: list[Any]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("xl/workbook.xml", "<x/>")
    return buffer.getvalue()


TABLE = {"text": [f"text {number}" for number in range(40)], "label": ["a", "b"] * 20}
DEEP = '{"text": ' + "[" * 10_000 + "]" * 10_000 + ', "label": "a"}'

CASES = {
    # name: (file name, bytes, what the error must say)
    "empty csv": ("d.csv", b"", ["d.csv is empty"]),
    "blank csv": ("d.csv", b"\n\n  \n", ["d.csv is empty"]),
    "header only": ("d.csv", b"text,label\n", ["d.csv has no rows"]),
    "empty jsonl": ("d.jsonl", b"", ["d.jsonl is empty"]),
    "empty tsv": ("d.tsv", b"", ["d.tsv is empty"]),
    "empty parquet": ("d.parquet", b"", ["d.parquet is empty"]),
    "parquet without rows": ("d.parquet", parquet(text=[], label=[]), ["d.parquet has no rows"]),
    "missing column": ("d.csv", csv(header="words,label\n"), ['no column "text"', "words, label"]),
    "renamed column": ("d.csv", csv(header="Text,label\n"), ['no column "text"', "Did you mean Text?"]),
    "misspelt column": ("d.csv", csv(header="text,lable\n"), ['no column "label"', "Did you mean lable?"]),
    "missing column of jsonl": ("d.jsonl", b'{"txt": "a", "label": "b"}\n', ['no column "text"', "Did you mean txt?"]),
    "duplicate columns": ("d.csv", csv(header="text,text\n"), ['two columns are called "text"']),
    "short row": ("d.csv", csv("only text\n"), ["d.csv, row 42 has 1 fields, the header has 2"]),
    "long row": ("d.csv", csv("a,b,c\n"), ["d.csv, row 42 has 3 fields, the header has 2"]),
    "ragged row below a text of two lines": (
        "d.csv", csv('"two\nlines",a\n', "x\n"), ["row 43 (line 44) has 1 fields"],
    ),
    "unclosed quote": ("d.csv", csv('"open,a\n', "more,b\n"), ["row 42", "never closed"]),
    "text after a quote": ("d.csv", csv('"a" b,a\n'), ["row 42", "after its closing quote"]),
    "NUL byte": ("d.csv", csv("a\0b,a\n"), ["d.csv, line 42", "NUL"]),
    "NUL byte in jsonl": ("d.jsonl", jsonl('{"text": "a\0", "label": "a"}'), ["d.jsonl, line 41", "NUL"]),
    "mixed encodings": (
        "d.csv", csv("naïve,a\n", "größe,b\n") + "naïf,a\n".encode("latin-1"), ["d.csv, line 44", "mixed"],
    ),
    "broken json": ("d.jsonl", jsonl('{"text": "a", "label"'), ["d.jsonl, row 41", "broken JSON"]),
    "json list": ("d.jsonl", b'[{"text": "a", "label": "b"}]', ["one JSON list", "jq"]),
    "json of many lines": ("d.json", b'{\n"text": "a"\n}', ["d.json, row 1", "broken JSON"]),
    "trailing comma": ("d.jsonl", jsonl('{"text": "a", "label": "b"},'), ["row 41", "Remove the comma"]),
    "NaN": ("d.jsonl", jsonl('{"text": "a", "label": NaN}'), ["row 41", "NaN is not JSON"]),
    "duplicate keys": (
        "d.jsonl", jsonl('{"text": "a", "text": "b", "label": "a"}'), ["row 41", '"text" occurs twice'],
    ),
    "deep nesting": ("d.jsonl", jsonl(DEEP), ["row 41", "nested too deeply"]),
    "not an object": ("d.jsonl", jsonl('"text"'), ["row 41", "not a JSON object"]),
    "text missing in one line": ("d.jsonl", jsonl('{"label": "a"}'), ["row 41", 'column "text"', "missing"]),
    "text is a number": ("d.jsonl", jsonl('{"text": 5, "label": "a"}'), ["row 41", "'5' is not a text"]),
    "label is a list": ("d.jsonl", jsonl('{"text": "a", "label": ["x"]}'), ["row 41", "not one label", "multilabel"]),
    "text too long": ("d.csv", csv("x" * 100_001 + ",a\n"), ["row 42", "100,001", "max_text_chars"]),
    "line of five megabytes": (
        "d.jsonl", jsonl('{"text": "' + "啊" * 2_000_000 + '", "label": "a"}'), ["row 41", "2,000,000"],
    ),
    "empty label": ("d.csv", csv("a text,\n"), ['d.csv, row 42, column "label"', "empty"]),
    "blank label": ("d.csv", csv("a text,  \n"), ['d.csv, row 42, column "label"', "empty"]),
    "label nan": ("d.csv", csv("a text,nan\n"), ["row 42", "empty"]),
    "label null": ("d.jsonl", jsonl('{"text": "a", "label": null}'), ["row 41", "empty"]),
    "label missing in parquet": (
        "d.parquet", parquet(text=["a", "b"], label=["x", None]), ["d.parquet, row 2", "empty"],
    ),
    "one class": (
        "d.csv", b"text,label\n" + b"".join(b"text %d,a\n" % n for n in range(40)), ["only one class", "'a'"],
    ),
    "one row": ("d.csv", b"text,label\nx,a\n", ["need 3 rows, but only 1"]),
    "a row per class": ("d.csv", b"text,label\nfirst,a\nsecond,b\nthird,c\n", ["split would be empty"]),
    "blank texts": ("d.csv", b"text,label\n" + b" ,a\n ,b\n" * 9, ["every text is blank"]),
    "full-width twin": ("d.csv", csv("other text,Ａ\n", "third text,A\n"), ["look alike"]),
    "truncated parquet": ("d.parquet", parquet(**TABLE)[:-20], ["d.parquet is not a readable Parquet"]),
    "text called parquet": ("d.parquet", csv(), ["d.parquet is not a readable Parquet"]),
    "parquet called csv": ("d.csv", parquet(**TABLE), ["is a Parquet file", "data.format: parquet"]),
    "xlsx": ("d.xlsx", zipped(), ["Excel or ZIP", "CSV"]),
    "xlsx called csv": ("d.csv", zipped(), ["Excel or ZIP"]),
    "pdf": ("d.csv", b"%PDF-1.7 ...", ["PDF"]),
    "gz": ("d.csv.gz", gzip.compress(csv()), ["gzip", "Unpack"]),
    "unknown name": ("d.data", csv(), ["format of d.data", "data.format"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_bad_input_is_one_clear_error_and_writes_nothing(name: str, language: str, tmp_path: Path, build: Any) -> None:
    file, content, says = CASES[name]
    (tmp_path / file).write_bytes(content)
    use_language(language)
    try:
        with pytest.raises(DataError) as caught:
            build(file)
    finally:
        use_language(None)
    assert caught.value.problem and caught.value.hint
    assert len(str(caught.value).splitlines()) <= 3 and len(str(caught.value)) < 500
    assert not (tmp_path / "workspace").exists()
    if language == "en":
        for part in says:
            assert part in str(caught.value)
    else:
        assert any("\u4e00" <= character <= "\u9fff" for character in caught.value.problem)


def test_what_is_no_file_is_refused(tmp_path: Path, build: Any, reviews: Path) -> None:
    with pytest.raises(DataError, match=r"no data at .*\n.*Did you mean data.csv"):
        build("dat.csv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="not one of the datasets library"):
        build("folder")
    with pytest.raises(DataError, match="is a folder, not a file"):
        build("folder", format="csv")
    with pytest.raises(DataError, match="is a file, not a folder"):
        build("data.csv", format="datasets")
    with pytest.raises(DataError, match=r"no sample called 'empty'"):
        build("sample:empty")
    with pytest.raises(ConfigError):
        build("data.csv", format="cvs")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(reviews: Path, build: Any) -> None:
    reviews.chmod(0)
    with pytest.raises(DataError, match="may not read"):
        build()


def test_a_label_that_train_lacks_is_named_with_its_row(tmp_path: Path, build: Any, reviews: Path) -> None:
    (tmp_path / "test.csv").write_text("text,label\nsome new text,good\nanother new text,gooood\n")
    with pytest.raises(DataError, match=r"test.csv, row 3: the label 'gooood'"):
        build(test="test.csv")


def test_na_and_null_are_words(tmp_path: Path, build: Any) -> None:
    lines = [f"{word} {number * 7919:x},{word}\n" for number in range(30) for word in ("NA", "null")]
    (tmp_path / "data.csv").write_text("text,label\n" + "NA,NA\n" + "null,null\n" + "".join(lines))
    snapshot = build()
    assert snapshot.labels == ("NA", "null")
    assert {"NA", "null"} <= {text for name in ("train", "dev", "test") for text in snapshot.split(name).texts}


def test_an_unknown_encoding_is_refused(reviews: Path, build: Any) -> None:
    with pytest.raises(DataError, match="no encoding called 'utf-9'"):
        build(encoding="utf-9")


@pytest.mark.parametrize("settings", [{"split": {"by": "group"}}, {"split": {"by": "time"}}])
def test_a_split_needs_its_column(settings: dict[str, Any], reviews: Path, build: Any) -> None:
    with pytest.raises(DataError, match=r"but no column is named for it\.\nSet data.columns\."):
        build(**settings)


def test_a_time_that_is_none_is_named_with_its_row(tmp_path: Path, build: Any) -> None:
    lines = [f"text {number * 7919:x},{'ab'[number % 2]},2026-01-{number:02}\n" for number in range(1, 31)]
    (tmp_path / "data.csv").write_text("text,label,day\n" + "".join(lines) + "last,a,soon\n")
    with pytest.raises(DataError, match="row 32, column \"day\": 'soon' is not a date"):
        build(columns={"time": "day"}, split={"by": "time"})


def test_a_repeated_id_is_named_with_both_rows(tmp_path: Path, build: Any) -> None:
    (tmp_path / "data.csv").write_text("id,text,label\n1,x,a\n2,y,b\n1,z,a\n")
    with pytest.raises(DataError, match=r"row 4.*'1' is that of data.csv, row 2"):
        build(columns={"id": "id"})


def test_contradictions_can_be_an_error(tmp_path: Path, build: Any, reviews: Path) -> None:
    reviews.write_text(reviews.read_text() + "same,good\nsame,bad\n")
    with pytest.raises(DataError, match=r"data.csv, row 63 has the text of data.csv, row 62"):
        build(clean={"conflicts": "error"})


def test_more_rows_than_there_are_cannot_be_split_off(reviews: Path, build: Any) -> None:
    with pytest.raises(DataError, match="need 81 rows, but only 60"):
        build(split={"dev": 40, "test": 40})
