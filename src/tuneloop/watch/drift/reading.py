"""Vectors of events whose texts are kept: found when they are watched, so that answering costs nothing.

Those of the reference are read anew too, from texts in the same form: without personal data, where none is kept. Only
then are they alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.core.arrays import read_array, write_array
from tuneloop.core.hashing import canonical_json
from tuneloop.core.i18n import t
from tuneloop.core.progress import progress
from tuneloop.data.examples import Input, as_input
from tuneloop.watch.base import Event

AT_ONCE = 1000
KEY_BYTES = 16

Read = Callable[[Sequence[Input]], "np.ndarray[Any, Any] | None"]
"""The vectors of inputs, (n, hidden); None where there are none."""


class TextVectors:
    """Gives events the vectors of their texts, and remembers those of the last call in a file.

    Only what was asked for last is in the file, so that nothing stays of events that are gone.

    Args:
        read: of the release that answered.
        path: the file, for the user alone; what is damaged or missing is read again.
        shown: what is done to texts first.
    """

    def __init__(self, read: Read, path: Path, *, shown: Callable[[str], str] | None = None) -> None:
        self._read, self._path, self._shown = read, path, shown or (lambda text: text)

    def __call__(self, events: Sequence[Event], *, quiet: bool = False) -> list[Event]:
        """The events, in order; those without a text have no vector, and all are as they were where none can be read.

        Raises:
            StorageError: if the disk refuses.
        """
        items = [None if event.text is None else self._input(event) for event in events]
        keys_of = [None if item is None else _key(item) for item in items]
        inputs = {key: item for key, item in zip(keys_of, items, strict=True) if key is not None and item is not None}
        known = self._known()
        found = {key: known[key] for key in inputs if key in known}
        missing = [key for key in inputs if key not in found]
        try:
            with progress(t("reading texts"), len(missing), quiet=quiet or len(missing) <= AT_ONCE) as bar:
                for start in range(0, len(missing), AT_ONCE):
                    keys = missing[start : start + AT_ONCE]
                    rows = self._read([inputs[key] for key in keys])
                    if rows is None:
                        return list(events)
                    found.update(zip(keys, np.asarray(rows, dtype=np.float16), strict=True))
                    bar.update(start + len(keys))
        finally:  # what was read is not read again, whatever ended this
            if found.keys() != known.keys():
                self._keep(found)
        return [
            replace(event, vector=None if key is None else found[key])
            for event, key in zip(events, keys_of, strict=True)
        ]

    def _input(self, event: Event) -> Input:
        pair = None if event.pair is None else self._shown(event.pair)
        return as_input(self._shown(str(event.text)), pair)

    def _known(self) -> dict[bytes, Any]:
        kept = read_array(self._path)
        return {} if kept is None else {row["key"].tobytes(): row["vector"] for row in kept}

    def _keep(self, found: dict[bytes, Any]) -> None:
        hidden = len(next(iter(found.values()), ()))
        rows = np.zeros(len(found), dtype=[("key", f"V{KEY_BYTES}"), ("vector", np.float16, (hidden,))])
        if found:
            rows["key"] = np.frombuffer(b"".join(found), dtype=f"V{KEY_BYTES}")
            rows["vector"] = list(found.values())
        write_array(self._path, rows, mode=0o600)


def _key(item: Input) -> bytes:
    return hashlib.blake2b(canonical_json(item), digest_size=KEY_BYTES).digest()
