"""Tokens that were made before, by what they were made from: Arrow files that are mapped into memory."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np

from tuneloop.core import fsio
from tuneloop.core.hashing import hash_json, hash_texts
from tuneloop.core.i18n import t
from tuneloop.core.progress import Bar, progress
from tuneloop.data.examples import Input
from tuneloop.data.tokens import IntArray, Tokens

ARRAYS = ("ids", "offsets", "type_ids", "truncated", "places", "owners")
PLAIN = ("pad_id", "bound", "columns")
ABOUT = b"tuneloop"

SHOWN_FROM = 50_000
"""Texts from which making their tokens takes more than a moment."""

FOLLOWED = 1000
"""How often a bar is told, of inputs that are read one by one."""


class Encoder(Protocol):
    """What `models.tokenizer.Tokenizer` is."""

    @property
    def identity(self) -> str:
        """A hash of all that determines the tokens."""

    def encode(self, inputs: Sequence[Input]) -> Tokens:
        """The tokens of every input, in order."""


def cached_tokens(tokenizer: Encoder, inputs: Sequence[Input], cache: Path | None, *, quiet: bool = True) -> Tokens:
    """The tokens of every input, from the cache where they are there.

    A cache file that is damaged or of another version is made again. None as `cache` keeps nothing, nor is anything
    kept of a tokenizer that reads files, too.

    Args:
        quiet: show no progress; that of few texts is never shown.

    Raises:
        StorageError: if the disk refuses.
    """
    if cache is None or getattr(tokenizer, "reads_files", False):
        return _made(tokenizer, inputs, quiet)
    path = cache / "tokens" / f"{_key(tokenizer, inputs)}.arrow"
    known = _read(path, len(inputs))
    if known is not None:
        return known
    tokens = _made(tokenizer, inputs, quiet)
    with fsio.storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with fsio.new_file(path) as temporary:
        _write(temporary, tokens)
    return tokens


class _Followed(Sequence[Input]):
    """Inputs that tell a bar how far they were read."""

    def __init__(self, inputs: Sequence[Input], bar: Bar) -> None:
        self._inputs, self._bar = inputs, bar

    def __len__(self) -> int:
        return len(self._inputs)

    @overload
    def __getitem__(self, place: int) -> Input: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Input]: ...

    def __getitem__(self, place: int | slice) -> Input | Sequence[Input]:
        last = place.indices(len(self))[1] if isinstance(place, slice) else place
        if isinstance(place, slice) or place % FOLLOWED == 0:
            self._bar.update(last)
        return self._inputs[place]


def _made(tokenizer: Encoder, inputs: Sequence[Input], quiet: bool) -> Tokens:
    if len(inputs) < SHOWN_FROM:
        return tokenizer.encode(inputs)
    with progress(t("tokens"), len(inputs), quiet=quiet) as bar:
        tokens = tokenizer.encode(_Followed(inputs, bar))
        bar.update(len(inputs))
    return tokens


def _key(tokenizer: Encoder, inputs: Sequence[Input]) -> str:
    parts = (part for item in inputs for part in ((item,) if isinstance(item, str) else item))
    pairs = sum(1 for item in inputs if not isinstance(item, str))
    return hash_json([tokenizer.identity, len(inputs), pairs, hash_texts(parts)])


def _write(path: Path, tokens: Tokens) -> None:
    """One row with a list for each array, uncompressed, so that reading is mapping."""
    import pyarrow as pa

    arrays = {name: getattr(tokens, name) for name in ARRAYS if getattr(tokens, name) is not None}
    flat = {name: np.ascontiguousarray(array).ravel() for name, array in arrays.items()}
    flat["truncated"] = flat["truncated"].view(np.uint8)  # Arrow would make eight of them one byte
    about = {name: getattr(tokens, name) for name in PLAIN} | {"check": _check(flat)}
    columns = [pa.LargeListArray.from_arrays([0, len(array)], pa.array(array)) for array in flat.values()]
    table = pa.table(columns, list(flat)).replace_schema_metadata({ABOUT: json.dumps(about)})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


def _check(arrays: Mapping[str, IntArray]) -> int:
    """A number that other bytes hardly have."""
    found = zlib.crc32(" ".join(f"{name} {array.dtype}" for name, array in arrays.items()).encode())
    for array in arrays.values():
        found = zlib.crc32(array.data, found)
    return found


def _read(path: Path, count: int) -> Tokens | None:
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_stream(file).read_all()
        about = json.loads(table.schema.metadata[ABOUT])
        flat = {name: table.column(name).chunk(0).values.to_numpy() for name in table.column_names}
        if about.pop("check") != _check(flat):
            return None
        arrays: dict[str, Any] = {"type_ids": None} | flat | {"truncated": flat["truncated"].view(bool)}
        if "places" in arrays:
            arrays["places"] = arrays["places"].reshape(-1, 2)
        tokens = Tokens(**arrays, **about)
    except (OSError, ValueError, KeyError, TypeError, IndexError, pa.ArrowException):
        return None
    inputs = len(tokens) if tokens.owners is None else int(tokens.owners.max(initial=-1)) + 1
    whole = inputs == count and len(tokens) == len(tokens.truncated) and int(tokens.offsets[-1]) == len(tokens.ids)
    return tokens if whole else None
