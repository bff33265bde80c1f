"""Vectors of events whose texts are kept: found when they are watched, so that answering costs nothing.

Vectors that a server kept may be of another engine, and of texts before personal data was taken out of them; so where
texts are kept, all vectors are read anew from them, those of the reference too. Only then are they alike.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.core.fsio import write_bytes
from tuneloop.core.hashing import canonical_json
from tuneloop.core.i18n import t
from tuneloop.core.progress import progress
from tuneloop.data.examples import Input, as_input
from tuneloop.watch.base import Event

AT_ONCE = 1000
KEY_BYTES = 16

Read = Callable[[Sequence[Input]], "np.ndarray[Any, Any]"]
"""The vectors of inputs, (n, hidden)."""


class TextVectors:
    """Gives events the vectors of their texts, and remembers those of the last call in a file.

    Only what was asked for last is in the file, so that nothing stays of events that are gone.

    Args:
        read: of the release that answered.
        path: the file; what is damaged or missing is read again.
    """

    def __init__(self, read: Read, path: Path) -> None:
        self._read, self._path = read, path

    def __call__(self, events: Sequence[Event], *, quiet: bool = False) -> list[Event]:
        """The events, in order; those without a text have no vector.

        Raises:
            StorageError: if the disk refuses.
        """
        inputs = {_key(event): as_input(event.text, event.pair) for event in events if event.text is not None}
        known = self._known()
        found = {key: known[key] for key in inputs if key in known}
        missing = [key for key in inputs if key not in found]
        with progress(t("reading texts"), len(missing), quiet=quiet or len(missing) <= AT_ONCE) as bar:
            for start in range(0, len(missing), AT_ONCE):
                keys = missing[start : start + AT_ONCE]
                rows = np.asarray(self._read([inputs[key] for key in keys]), dtype=np.float16)
                found.update(zip(keys, rows, strict=True))
                bar.update(start + len(keys))
        if missing or len(found) < len(known):
            self._keep(found)
        return [replace(event, vector=None if event.text is None else found[_key(event)]) for event in events]

    def _known(self) -> dict[bytes, Any]:
        try:
            data = self._path.read_bytes()
            digest, body = data[:32], data[32:]
            if digest != hashlib.sha256(body).digest():
                return {}
            kept = np.load(io.BytesIO(body), allow_pickle=False)
            return dict(zip((row.tobytes() for row in kept["keys"]), kept["vectors"], strict=True))
        except (OSError, ValueError, KeyError):
            return {}

    def _keep(self, found: dict[bytes, Any]) -> None:
        buffer = io.BytesIO()
        keys = np.frombuffer(b"".join(found), dtype=np.uint8).reshape(-1, KEY_BYTES)
        np.savez(buffer, keys=keys, vectors=np.array(list(found.values()), dtype=np.float16))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(self._path, hashlib.sha256(buffer.getbuffer()).digest() + buffer.getvalue())


def _key(event: Event) -> bytes:
    return hashlib.blake2b(canonical_json([event.text, event.pair]), digest_size=KEY_BYTES).digest()
