"""Examples as a Parquet file, and back: equal examples, equal bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.hashing import hash_json, hash_texts
from tuneloop.data.examples import Examples, Label, Span

if TYPE_CHECKING:
    import pyarrow as pa

COLUMN_PREFIX = "column."
"""Before the names of the user's other columns, which may be called `text` too."""

JSON_KIND = b"json"


def write_examples(path: Path, examples: Examples) -> None:
    """Write the rows; for a folder that `fsio.new_dir` makes durable."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays: dict[str, Any] = {"id": pa.array(examples.ids, pa.string()), "text": pa.array(examples.texts, pa.string())}
    if examples.pairs is not None:
        arrays["pair"] = pa.array(examples.pairs, pa.string())
    arrays["label"] = pa.array(list(map(plain_label, examples.labels)), label_type(examples.labels))
    fields = [pa.field(name, array.type) for name, array in arrays.items()]
    for name, values in examples.columns.items():
        array, as_json = _column(values)
        arrays[COLUMN_PREFIX + name] = array
        metadata = {b"tuneloop": JSON_KIND} if as_json else None
        fields.append(pa.field(COLUMN_PREFIX + name, array.type, metadata=metadata))
    table = pa.table(list(arrays.values()), schema=pa.schema(fields))
    pq.write_table(table, path, compression="zstd")


def read_examples(path: Path) -> Examples:
    """The rows that `write_examples` wrote."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        table = file.read()
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    others = {}
    for field in table.schema:
        if field.name.startswith(COLUMN_PREFIX):
            values = columns[field.name]
            if (field.metadata or {}).get(b"tuneloop") == JSON_KIND:
                values = [json.loads(value) for value in values]
            others[field.name.removeprefix(COLUMN_PREFIX)] = values
    labels = list(map(as_label, columns["label"]))
    return Examples(columns["id"], columns["text"], labels, columns.get("pair"), others)


def hash_examples(examples: Examples) -> str:
    """A hash of all that the rows say, whatever version of Parquet they are kept in."""
    parts = {
        "ids": hash_texts(examples.ids),
        "texts": hash_texts(examples.texts),
        "pairs": None if examples.pairs is None else hash_texts(examples.pairs),
        "labels": hash_texts(map(_plain, examples.labels)),
        "columns": {_sound(name): hash_texts(map(_plain, values)) for name, values in examples.columns.items()},
    }
    return hash_json(parts)


def schema(examples: Examples) -> dict[str, Any]:
    """Which columns there are and what they hold, for dataset.json."""
    kinds = {"str": "text", "float": "number", "tuple": "classes"}
    label = type(examples.labels[0]).__name__ if examples.labels else "str"
    if _has_spans(examples.labels):
        label = "spans"
    return {
        "pair": examples.pairs is not None,
        "label": kinds.get(label, label),
        "columns": {_sound(name): str(_column(values)[0].type) for name, values in examples.columns.items()},
    }


def as_label(value: Any) -> Label:
    """A label as Parquet gives it back, as it was."""
    if not isinstance(value, list):
        return value  # type: ignore[no-any-return]
    return tuple(Span(**each) if isinstance(each, dict) else each for each in value)


def label_type(labels: Sequence[Label]) -> pa.DataType:
    """What Parquet keeps these labels as."""
    import pyarrow as pa

    if _has_spans(labels):
        return pa.list_(pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())]))
    kind = type(labels[0]) if labels else str
    return {tuple: pa.list_(pa.string()), float: pa.float64()}.get(kind, pa.string())


def plain_label(label: Label) -> Any:
    """A label as Parquet and JSON take it: stretches as objects."""
    if not isinstance(label, tuple):
        return label
    return [each._asdict() if isinstance(each, Span) else each for each in label]


def _has_spans(labels: Sequence[Label]) -> bool:
    return any(isinstance(each, Span) for label in labels if isinstance(label, tuple) for each in label)


def _column(values: Sequence[Any]) -> tuple[pa.Array, bool]:
    """Values as text or number where all are of one kind, else as JSON."""
    import pyarrow as pa

    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {str}:
        return pa.array([None if value is None else _sound(value) for value in values], pa.string()), False
    if kinds in ({int}, {float}, {bool}) and not _exceeds_64_bits(values, kinds):
        return pa.array(values, {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}[kinds.pop()]), False
    return pa.array(list(map(_plain, values)), pa.string()), True


def _exceeds_64_bits(values: Sequence[Any], kinds: set[type]) -> bool:
    return kinds == {int} and any(value is not None and not -(2**63) <= value < 2**63 for value in values)


def _plain(value: Any) -> str:
    """A value as JSON; what JSON lacks (dates, bytes) as text."""
    return value if isinstance(value, str) else _sound(json.dumps(value, ensure_ascii=False, default=str))


def _sound(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
