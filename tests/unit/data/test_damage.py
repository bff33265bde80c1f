"""A file damaged anywhere is read or refused with a `DataError`; nothing else ever comes out."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuneloop.core.config import Columns
from tuneloop.core.errors import DataError
from tuneloop.data.labelled import labelled
from tuneloop.data.readers import read_table
from tuneloop.tasks.classification import Classification

TEXTS = ["a plain text", "好的，谢谢", 'with "quotes", commas', "déjà vu\nnext line", "", "😀"]


def files() -> dict[str, bytes]:
    cells = [text.replace('"', '""') for text in TEXTS]
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": TEXTS, "label": list("ababab")}), buffer)
    return {
        "data.csv": ("text,label\n" + "".join(f'"{cell}",a\n' for cell in cells)).encode(),
        "data.jsonl": "\n".join(json.dumps({"text": text, "label": "a"}) for text in TEXTS).encode(),
        "data.parquet": buffer.getvalue(),
    }  # fmt: skip


@pytest.mark.parametrize("name", files())
def test_a_damaged_file_never_escapes_as_another_error(name: str, tmp_path: Path) -> None:
    chance = random.Random(0)
    whole, refused = files()[name], 0
    for _ in range(100):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(data))
            change = chance.choice(["flip", "cut", "insert", "end"])
            if change == "flip":
                data[place] ^= 1 << chance.randrange(8)
            elif change == "cut":
                del data[place : place + chance.randint(1, 9)]
            elif change == "insert":
                data[place:place] = chance.choice([b'"', b"\n", b",", b"\xff", b"\0", b"[", b"{", b"\xed\xa0\x80"])
            else:
                del data[max(place, 1) :]
            data = data or bytearray(b"x")
        (tmp_path / name).write_bytes(data)
        try:
            labelled(read_table(name, base=tmp_path), Columns(), Classification, max_chars=100)  # type: ignore[call-arg]
        except DataError as error:
            refused += 1
            assert error.hint
    assert 20 < refused < 100
