"""The end of a trail when a server starts: a line that a crash has torn, and the line that the chain goes on from."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuneloop.core.errors import StorageError
from tuneloop.core.fsio import storage_errors
from tuneloop.core.i18n import t
from tuneloop.trail.chain import KEY_VARIABLE, parse, signed_by, trail_files

CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class Torn:
    """A last line without its end: it was being written when the process or the machine died.

    No answer had left for it, as answers wait until their whole line is on the disk.
    """

    file: str
    size_bytes: int
    sha256: str

    def record(self) -> dict[str, Any]:
        """What the trail says of it from then on."""
        return {
            "kind": "repaired", "time": datetime.now(UTC).isoformat(timespec="milliseconds"), "file": self.file,
            "removed_bytes": self.size_bytes, "removed_sha256": self.sha256,
        }  # fmt: skip


def cut_torn_line(folder: Path) -> Torn | None:
    """Cut off what stands behind the last line break; None if nothing does.

    Raises:
        StorageError: if the disk refuses.
    """
    files = trail_files(folder)
    if not files:
        return None
    with storage_errors(files[-1]), files[-1].open("r+b") as file:
        whole, rest = _behind_last_break(file)
        if not rest:
            return None
        file.truncate(whole)
        file.flush()
        os.fsync(file.fileno())
    return Torn(files[-1].name, len(rest), hashlib.sha256(rest).hexdigest())


def last_record(folder: Path, key: bytes | None) -> tuple[Path | None, dict[str, Any] | None]:
    """The newest file and the last record of the trail.

    Raises:
        StorageError: if its line is not what was written, or was signed with another key.
    """
    files = trail_files(folder)
    for file in reversed(files):
        with file.open("rb") as opened:
            line = _last_line(opened)
        if not line:
            continue
        record = parse(line)
        if record is None:
            raise StorageError(
                t("The last line of {file} was changed.", file=file),
                t("Look with: tuneloop trail verify. To begin a new one, move that folder away and keep it."),
            )
        if "mac" in record and not (key and signed_by(key, record)):
            raise StorageError(
                t("The trail {folder} is signed with another key.", folder=folder),
                t("Put the key that it was begun with in {variable}.", variable=KEY_VARIABLE),
            )
        return files[-1], record
    return (files[-1] if files else None), None


def _last_line(file: Any) -> bytes:
    """The last whole line of a file, with its line break; empty if there is none."""
    whole, _ = _behind_last_break(file)
    if not whole:
        return b""
    _, before = _behind_last_break(file, end=whole - 1)
    return before + b"\n"


def _behind_last_break(file: Any, *, end: int | None = None) -> tuple[int, bytes]:
    """How many bytes stand up to the last line break before `end`, and what stands behind it."""
    place = file.seek(0, os.SEEK_END) if end is None else end
    rest = b""
    while place:
        start = max(0, place - CHUNK_BYTES)
        file.seek(start)
        chunk = file.read(place - start)
        at = chunk.rfind(b"\n")
        if at >= 0:
            return start + at + 1, chunk[at + 1 :] + rest
        rest, place = chunk + rest, start
    return 0, rest
