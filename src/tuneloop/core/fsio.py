"""Every write goes through here: a reader sees the old content or the new, never half of it.

A file is written beside its place, flushed to the disk, then renamed over it. A folder is filled
under a temporary name, flushed, then renamed. See Pillai et al., "All File Systems Are Not Created
Equal" (OSDI 2014), for why the directory is flushed too.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tuneloop.core.errors import StorageError
from tuneloop.core.i18n import t

STAGING_PREFIX = ".tmp-"

STAGED = re.compile(re.escape(STAGING_PREFIX) + r"\d+-[0-9a-f]{8}-.")
"""Names that are given here; others are somebody else's."""

NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, atomically and durably.

    Raises:
        StorageError: if the disk is full or read-only; `path` is then as it was.
    """
    with new_file(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def new_file(path: Path, *, mode: int = 0o666, keep: bool = False) -> Iterator[Path]:
    """A file to write, which takes the place of `path` in one step when the block ends without error.

    What writers that died left beside it is removed.

    Args:
        mode: its permissions, less the umask.
        keep: whether a file that is there by then stays, and the new one goes.

    Raises:
        StorageError: if the disk is full or read-only; `path` is then as it was, or new if only the last flush failed.
    """
    with storage_errors(path):
        sweep(path.parent)
        temporary, held = _stage(path, lambda place: os.close(os.open(place, NEW, mode)))
        try:
            yield temporary
            _fsync(temporary)
            if keep:
                _put_first(temporary, path)
            else:
                os.replace(temporary, path)
            fsync_dir(path.parent)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        finally:
            os.close(held)


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in UTF-8, atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as readable JSON, atomically."""
    write_text(path, to_json(value))


def to_json(value: Any) -> str:
    """Readable JSON with a line's end."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_json_lines(path: Path, rows: Iterable[Any]) -> None:
    """Rows as JSON, one a line; what JSON has no form for is written as text."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows))


@contextmanager
def new_dir(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """A folder to fill, which becomes `path` in one step when the block ends without error.

    Whatever the block leaves in it is flushed to the disk first. On an error nothing of it remains, nor of what
    writers that died left beside it.

    Args:
        replace: whether it takes the place of a folder that is there, which goes only when the new one is whole.

    Raises:
        StorageError: if `path` exists and is not to be replaced, or the disk refuses.
    """
    with storage_errors(path):
        make_dir(path.parent)
        sweep(path.parent)
        temporary, held = _stage(path, os.mkdir)
    try:
        yield temporary
        with storage_errors(path):
            fsync_tree(temporary)
            _put(temporary, path, replace=replace)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError):
            raise _storage_error(path, error) from error
        raise
    finally:
        os.close(held)


def make_dir(path: Path) -> None:
    """Make a folder and those above it, if they are not there, so that a power cut does not take them away again."""
    if path.is_dir():
        return
    make_dir(path.parent)
    path.mkdir(exist_ok=True)
    fsync_dir(path.parent)


def remove_dir(path: Path) -> None:
    """Remove a folder so that a crash never leaves it half there: rename, then delete."""
    with storage_errors(path):
        held = _hold(path)
        try:
            temporary = _staging_name(path)
            os.rename(path, temporary)
            fsync_dir(path.parent)
            shutil.rmtree(temporary, ignore_errors=True)  # what is left of it, the next writer sweeps
        finally:
            os.close(held)


def sweep(folder: Path) -> int:
    """Remove what writers that died left in `folder`; returns how many were removed."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(STAGING_PREFIX)]
    except PermissionError:  # what may not be listed may still be written to
        return 0
    return sum(_removed(folder / name) for name in names if STAGED.match(name))


def copy_dir(source: Path, into: Path) -> None:
    """Copy what a folder holds into one that is there, without what dead writers left; the first error ends it."""
    for path in sorted(source.rglob("*")):
        parts = path.relative_to(source).parts
        if any(STAGED.match(part) for part in parts):
            continue
        target = into.joinpath(*parts)
        target.mkdir(exist_ok=True) if path.is_dir() else shutil.copyfile(path, target)


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


def _stage(path: Path, make: Callable[[Path], None]) -> tuple[Path, int]:
    """A new temporary file or folder beside `path`, and a descriptor by which it is held until that is closed."""
    while True:
        temporary = _staging_name(path)
        make(temporary)
        with suppress(FileNotFoundError):  # it was swept before it was held
            return temporary, _hold(temporary)


def _hold(path: Path) -> int:
    """Show others that this process is at work there; the system lets go of it even after kill -9.

    A number of a process in the name would not do: another one may get it, and in a container the first is always 1.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # where a file system has no locks, nothing is swept either
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    raise FileNotFoundError(path)


def _removed(leftover: Path) -> bool:
    """Whether a temporary file or folder was removed: that of a living writer is not."""
    try:
        descriptor = os.open(leftover, os.O_RDONLY | os.O_NONBLOCK)  # somebody's pipe of that name is not waited for
    except OSError:  # another process has swept it
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _put(temporary: Path, path: Path, *, replace: bool) -> None:
    """Give a folder its name; where the disk refuses in the middle, the old one is there again, or none."""
    old = _staging_name(path) if replace and path.exists() else None
    held = [_hold(path)] if old else []
    placed = False
    try:
        if old:
            os.rename(path, old)
        os.rename(temporary, path)
        placed = True
        fsync_dir(path.parent)
    except OSError:
        with suppress(OSError):
            if placed:
                os.rename(path, temporary)
            if old:
                os.rename(old, path)
        raise
    else:
        if old:
            shutil.rmtree(old, ignore_errors=True)
    finally:
        for descriptor in held:
            os.close(descriptor)


def _put_first(temporary: Path, path: Path) -> None:
    """Give a file its name if none has it, and remove it else."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links: who comes at the very same time is not seen
        if not path.exists():
            os.replace(temporary, path)
            return
    os.unlink(temporary)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
