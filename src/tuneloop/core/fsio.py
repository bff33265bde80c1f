"""Every write goes through here: a reader sees the old content or the new, never half of it.

A file is written beside its place, flushed to the disk, then renamed over it. A folder is filled
under a temporary name, flushed, then renamed. See Pillai et al., "All File Systems Are Not Created
Equal" (OSDI 2014), for why the directory is flushed too.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tuneloop.core.errors import StorageError
from tuneloop.core.i18n import t

STAGING_PREFIX = ".tmp-"


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, atomically and durably.

    Raises:
        StorageError: if the disk is full or read-only; `path` is then as it was.
    """
    with new_file(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A file to write, which takes the place of `path` in one step when the block ends without error.

    Raises:
        StorageError: if the disk is full or read-only; `path` is then as it was.
    """
    temporary = _staging_name(path)
    with storage_errors(path):
        try:
            yield temporary
            _fsync(temporary)
            os.replace(temporary, path)
            fsync_dir(path.parent)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in UTF-8, atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as readable JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_json_lines(path: Path, rows: Iterable[Any]) -> None:
    """Rows as JSON, one a line; what JSON has no form for is written as text."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows))


@contextmanager
def new_dir(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """A folder to fill, which becomes `path` in one step when the block ends without error.

    Whatever the block leaves in it is flushed to the disk first. On an error nothing of it remains.

    Args:
        replace: whether it takes the place of a folder that is there, which goes only when the new one is whole.

    Raises:
        StorageError: if `path` exists and is not to be replaced, or the disk refuses.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _staging_name(path)
        temporary.mkdir()
    try:
        yield temporary
        with storage_errors(path):
            fsync_tree(temporary)
            if replace and path.exists():
                remove_dir(path)
            os.rename(temporary, path)
            fsync_dir(path.parent)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError):
            raise _storage_error(path, error) from error
        raise


def remove_dir(path: Path) -> None:
    """Remove a folder so that a crash never leaves it half there: rename, then delete."""
    with storage_errors(path):
        temporary = _staging_name(path)
        os.rename(path, temporary)
        fsync_dir(path.parent)
        shutil.rmtree(temporary)


def sweep(folder: Path) -> int:
    """Remove what writers that died left in `folder`; returns how many were removed."""
    swept = 0
    for leftover in folder.glob(STAGING_PREFIX + "*"):
        if _writer_is_alive(leftover):
            continue
        # Another process may sweep the same leftover at the same time.
        shutil.rmtree(leftover, ignore_errors=True) if leftover.is_dir() else leftover.unlink(missing_ok=True)
        swept += 1
    return swept


def fsync_tree(folder: Path) -> None:
    """Flush every file and folder under `folder` to the disk, the deepest first."""
    for root, _, files in os.walk(folder, topdown=False):
        for name in files:
            _fsync(Path(root, name))
        fsync_dir(Path(root))


def fsync_dir(folder: Path) -> None:
    """Flush a folder's list of names to the disk."""
    _fsync(folder)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals into a `StorageError` that says what to do."""
    try:
        yield
    except OSError as error:
        raise _storage_error(path, error) from error


def _storage_error(path: Path, error: OSError) -> StorageError:
    hints = {
        errno.ENOSPC: t("The disk is full: free some space, then run the same command again."),
        errno.EDQUOT: t("Your disk quota is used up: free some space, then run the same command again."),
        errno.EACCES: t("You may not write there: choose another workspace or change the permissions."),
        errno.EROFS: t("The file system is read-only: choose another workspace."),
    }
    reason = error.strerror or str(error)
    hint = hints.get(error.errno or 0, t("Nothing that was saved before has been changed."))
    return StorageError(t("Cannot write {path}: {reason}.", path=path, reason=reason), hint)


def _staging_name(path: Path) -> Path:
    return path.with_name(f"{STAGING_PREFIX}{os.getpid()}-{uuid.uuid4().hex[:8]}-{path.name[:80]}")


def _writer_is_alive(leftover: Path) -> bool:
    owner = leftover.name.removeprefix(STAGING_PREFIX).split("-", 1)[0]
    if not owner.isdigit():
        return False
    try:
        os.kill(int(owner), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
