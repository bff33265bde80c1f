"""Tokens that were made before, by what they were made from."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from tuneloop.core import fsio
from tuneloop.core.hashing import hash_json, hash_texts
from tuneloop.data.examples import Input
from tuneloop.data.tokens import Tokens


class Encoder(Protocol):
    """What `models.tokenizer.Tokenizer` is."""

    @property
    def identity(self) -> str:
        """A hash of all that determines the tokens."""

    def encode(self, inputs: Sequence[Input]) -> Tokens:
        """The tokens of every input, in order."""


def cached_tokens(tokenizer: Encoder, inputs: Sequence[Input], cache: Path | None) -> Tokens:
    """The tokens of every input, from the cache where they are there.

    A cache file that is damaged or of another version is made again. None as `cache` keeps nothing, nor is anything
    kept of a tokenizer that reads files, too.

    Raises:
        StorageError: if the disk refuses.
    """
    if cache is None or getattr(tokenizer, "reads_files", False):
        return tokenizer.encode(inputs)
    path = cache / "tokens" / f"{_key(tokenizer, inputs)}.npz"
    known = _read(path, len(inputs))
    if known is not None:
        return known
    tokens = tokenizer.encode(inputs)
    with fsio.storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    fsio.write_bytes(path, _packed(tokens))
    return tokens


def _key(tokenizer: Encoder, inputs: Sequence[Input]) -> str:
    parts = (part for item in inputs for part in ((item,) if isinstance(item, str) else item))
    pairs = sum(1 for item in inputs if not isinstance(item, str))
    return hash_json([tokenizer.identity, len(inputs), pairs, hash_texts(parts)])


def _packed(tokens: Tokens) -> bytes:
    buffer = io.BytesIO()
    optional = {"types": tokens.type_ids, "places": tokens.places, "owners": tokens.owners}
    arrays = {name: array for name, array in optional.items() if array is not None}
    arrays |= {name: np.array(getattr(tokens, name)) for name in ("pad_id", "bound", "columns")}
    np.savez(buffer, ids=tokens.ids, offsets=tokens.offsets, truncated=tokens.truncated, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _read(path: Path, count: int) -> Tokens | None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            optional = {name: arrays[name] for name in ("places", "owners") if name in arrays}
            tokens = Tokens(
                ids=arrays["ids"],
                offsets=arrays["offsets"],
                type_ids=arrays.get("types"),
                truncated=arrays["truncated"],
                pad_id=int(arrays["pad_id"]),
                bound=bool(arrays["bound"]),
                columns=int(arrays["columns"]),
                **optional,
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError):
        return None
    inputs = len(tokens) if tokens.owners is None else int(tokens.owners.max(initial=-1)) + 1
    whole = inputs == count and len(tokens) == len(tokens.truncated) and int(tokens.offsets[-1]) == len(tokens.ids)
    return tokens if whole else None
