"""Examples as a Parquet file, and back: equal examples, equal bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.hashing import hash_json, hash_texts
from tuneloop.data.examples import Examples, Label, Span
from tuneloop.data.mapped import Column

if TYPE_CHECKING:
    import pyarrow as pa

COLUMN_PREFIX = "column."
"""Before the names of the user's other columns, which may be called `text` too."""

JSON_KIND = b"json"

AT_ONCE = 10_000
"""Rows that are in memory together while a file is written or read."""


def write_examples(path: Path, examples: Examples) -> None:
    """Write the rows; for a folder that `fsio.new_dir` makes durable."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, tuple[pa.Field, Sequence[Any], Callable[[Any], Any] | None]] = {}
    plain: dict[str, Sequence[str] | None] = {"id": examples.ids, "text": examples.texts, "pair": examples.pairs}
    for name, texts in plain.items():
        if texts is not None:
            columns[name] = pa.field(name, pa.string()), texts, None
    columns["label"] = pa.field("label", label_type(examples.labels)), examples.labels, plain_label
    for name, values in examples.columns.items():
        kind, as_json = _kind(values)
        metadata = {b"tuneloop": JSON_KIND} if as_json else None
        field = pa.field(COLUMN_PREFIX + name, kind, metadata=metadata)
        columns[field.name] = field, values, _as_json if as_json else _as_text if kind == pa.string() else None
    schema = pa.schema([field for field, _, _ in columns.values()])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, len(examples), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            arrays = [pa.array([*map(as_kept, values[rows])] if as_kept else list(values[rows]), field.type)
                      for field, values, as_kept in columns.values()]  # fmt: skip
            writer.write_table(pa.table(arrays, schema=schema))


def read_examples(path: Path) -> Examples:
    """The rows that `write_examples` wrote."""
    import pyarrow.parquet as pq

    known: dict[str, str] = {}
    with pq.ParquetFile(path) as file:
        fields = list(file.schema_arrow)
        as_json = {field.name for field in fields if (field.metadata or {}).get(b"tuneloop") == JSON_KIND}
        columns, labels = {field.name: Column() for field in fields if field.name != "label"}, list[Label]()
        for batch in file.iter_batches(AT_ONCE):
            for name, values in zip(batch.schema.names, batch.columns, strict=True):
                if name == "label":  # one object for all rows of a class
                    labels += [
                        known.setdefault(label, label) if isinstance(label, str) else label
                        for label in map(as_label, values.to_pylist())
                    ]
                    continue
                plain = values.to_pylist()
                columns[name].extend(map(_from_json, plain) if name in as_json else plain)
    read = {name: column.values() for name, column in columns.items()}
    others = {
        name.removeprefix(COLUMN_PREFIX): values for name, values in read.items() if name.startswith(COLUMN_PREFIX)
    }
    return Examples(read["id"], read["text"], labels, read.get("pair"), others)


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
        "columns": {_sound(name): str(_kind(values)[0]) for name, values in examples.columns.items()},
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


def _kind(values: Sequence[Any]) -> tuple[pa.DataType, bool]:
    """What Parquet keeps values as: text or number where all are of one kind, else JSON, which the second says."""
    import pyarrow as pa

    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {str}:
        return pa.string(), False
    if kinds in ({int}, {float}, {bool}) and not _exceeds_64_bits(values, kinds):
        return {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}[kinds.pop()], False
    return pa.string(), True


def _as_text(value: str | None) -> str | None:
    return None if value is None else _sound(value)


def _exceeds_64_bits(values: Sequence[Any], kinds: set[type]) -> bool:
    return kinds == {int} and any(value is not None and not -(2**63) <= value < 2**63 for value in values)


def _as_json(value: Any) -> str:
    return _sound(json.dumps(value, ensure_ascii=False, default=str))


def _from_json(text: str) -> Any:
    """The value. In older files a text among other values stood as it was: where it is no JSON, it is that text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _plain(value: Any) -> str:
    """A value as JSON; what JSON lacks (dates, bytes) as text."""
    return value if isinstance(value, str) else _as_json(value)


def _sound(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
