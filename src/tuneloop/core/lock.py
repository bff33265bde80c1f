"""One process at a time in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuneloop.core.errors import TuneloopError

LOCKS = Path("/proc/locks")
"""Where Linux tells which process holds which lock."""


@contextmanager
def locked(folder: Path, *, busy: TuneloopError | None = None) -> Iterator[None]:
    """Inside the block no other process is in such a block; the system lets go of it even after kill -9.

    Args:
        busy: what is raised if another one is; without it, the block waits for its turn.

    Raises:
        TuneloopError: `busy`.
    """
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / "lock", timeout=0 if busy else -1):
            yield
    except Timeout:
        assert busy is not None
        raise busy from None


def holder(folder: Path) -> int | None:
    """The number of the process that is in such a block on this folder; None if there is none.

    Nothing is locked to find out, so nobody who wants the block is turned away meanwhile. Systems other than Linux do
    not tell whose a lock is: there the answer is 0 for "some process".
    """
    path = folder / "lock"
    try:
        found = path.stat()
    except OSError:
        return None
    if not LOCKS.is_file():
        return _somebody(folder)
    file = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    held = (line.split() for line in LOCKS.read_text(encoding="ascii").splitlines())
    # "1: FLOCK ADVISORY WRITE 24204 fe:00:2147752 0 EOF"; one that waits has "->" in the second place
    return next((int(words[4]) for words in held if words[1] == "FLOCK" and words[5] == file), None)


def _somebody(folder: Path) -> int | None:
    class Busy(TuneloopError):
        pass

    try:
        with locked(folder, busy=Busy("")):
            return None
    except Busy:
        return 0
