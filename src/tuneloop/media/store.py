"""Images and sound by the SHA-256 of their bytes: kept once in the workspace, found again by every model in it."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from tuneloop.core import fsio
from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace

MOST_BYTES = 50 * 2**20
"""Of one file."""

DIGEST = re.compile(r"[0-9a-f]{64}")
DATA_URI = re.compile(r"data:[a-z0-9.+/-]*;base64,", re.IGNORECASE)

MOST_REMEMBERED_BYTES = 256 * 2**20
"""Of all files that came with requests and are kept in memory alone; the oldest make room."""

_held: dict[str, Path] = {}
"""Files outside of any store that this process has read, by what it found in them."""

_remembered: OrderedDict[str, bytes] = OrderedDict()
_lock = threading.Lock()


def store_in(workspace: Path) -> Path:
    """The folder for files in a workspace."""
    return Workspace(workspace).media


def stores_above(folder: Path) -> list[Path]:
    """The stores of the workspaces that a model folder lies in, the nearest first."""
    found = (store_in(parent) for parent in folder.resolve().parents)
    return [store for store in found if store.is_dir()]


def keep(data: bytes, store: Path | None) -> str:
    """The SHA-256 of a file, which is in the store then; without a store a data URI of it.

    Raises:
        StorageError: if the disk refuses.
    """
    digest = hashlib.sha256(data).hexdigest()
    if store is None:
        return f"data:;base64,{base64.b64encode(data).decode('ascii')}"
    path = store / digest[:2] / digest
    if not path.is_file() or path.read_bytes() != data:
        fsio.make_dir(path.parent)
        fsio.write_bytes(path, data)
    return digest


def hold(path: Path, data: bytes) -> str:
    """The SHA-256 of a file that stays where it is; this process finds it again by that."""
    digest = hashlib.sha256(data).hexdigest()
    _held[digest] = path
    return digest


def remember(data: bytes) -> str:
    """The SHA-256 of a file that this process keeps in memory for a while, and nowhere else."""
    digest = hashlib.sha256(data).hexdigest()
    with _lock:
        _remembered[digest] = data
        _remembered.move_to_end(digest)
        while len(_remembered) > 1 and sum(map(len, _remembered.values())) > MOST_REMEMBERED_BYTES:
            _remembered.popitem(last=False)
    return digest


def fetch(reference: str, stores: Iterable[Path]) -> bytes:
    """The bytes of a file.

    Args:
        reference: a SHA-256, or a data URI.

    Raises:
        DataError: if it is in no store, was changed, or is no such reference.
    """
    if found := DATA_URI.match(reference):
        try:
            return base64.b64decode(reference[found.end() :], validate=True)
        except ValueError:  # binascii.Error is one; what is not ASCII raises another
            raise DataError(t("A data URI is no base64."), t("Write it as data:image/png;base64,...")) from None
    if DIGEST.fullmatch(reference):
        places = [store / reference[:2] / reference for store in stores]
        if (known := _remembered.get(reference)) is not None:
            return known
        for path in [*places, *filter(None, [_held.get(reference)])]:
            if path.is_file() and hashlib.sha256(data := path.read_bytes()).hexdigest() == reference:
                return data
    raise DataError(
        t("The file {name} is not in the workspace's media, or was changed.", name=reference[:12]),
        t("Give the file again: by its path, or as a data URI."),
    )


def read(path: Path) -> bytes:
    """The bytes of a file of the user.

    Raises:
        DataError: if it cannot be read, is empty or too large.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if 0 < size <= MOST_BYTES else b""
    except (OSError, ValueError) as error:  # a path with a NUL is no path
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(t("{path} cannot be read: {error}", path=path, error=reason)) from None
    if not data:
        raise DataError(
            t("{path} has {size} bytes, not 1 to {most}.", path=path, size=f"{size:,}", most=f"{MOST_BYTES:,}"),
            t("Make it smaller, or leave the cell empty."),
        )
    return data
