"""Content hashes: the same content has the same name everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

CHUNK_BYTES = 1 << 20


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_json(value: Any) -> str:
    """SHA-256 of a JSON value, independent of the order of its keys.

    Raises:
        TypeError: if `value` is not plain JSON.
    """
    return hashlib.sha256(canonical_json(value)).hexdigest()


def canonical_json(value: Any) -> bytes:
    """`value` as UTF-8 JSON with sorted keys and no spaces: equal values, equal bytes."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def hash_texts(texts: Iterable[str]) -> str:
    """SHA-256 of a sequence of texts; each is preceded by its length, so borders count."""
    digest, waiting = hashlib.sha256(), bytearray()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        waiting += len(data).to_bytes(8, "little")
        waiting += data
        if len(waiting) >= CHUNK_BYTES:  # few large pieces are hashed faster than many small ones
            digest.update(waiting)
            waiting.clear()
    digest.update(waiting)
    return digest.hexdigest()
