"""Arrays in files that show whether they are whole."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.core.fsio import new_file

DIGEST_BYTES = 32

Array = np.ndarray[Any, np.dtype[Any]]


def read_array(path: Path) -> Array | None:
    """The array that is kept at `path`; None where it is missing or damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    body = data[DIGEST_BYTES:]
    if data[:DIGEST_BYTES] != hashlib.sha256(body).digest():
        return None
    found: Array = np.load(io.BytesIO(body), allow_pickle=False)
    return found


def write_array(path: Path, array: Array, *, mode: int = 0o666) -> None:
    """Keep an array behind its SHA-256.

    Args:
        mode: permissions of the file, less the umask.

    Raises:
        StorageError: if the disk refuses.
    """
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path, mode=mode) as temporary, temporary.open("wb") as file:
        file.write(hashlib.sha256(buffer.getbuffer()).digest())
        file.write(buffer.getbuffer())
