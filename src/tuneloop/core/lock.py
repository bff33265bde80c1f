"""One process at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuneloop.core.errors import TuneloopError


@contextmanager
def locked(folder: Path, *, busy: TuneloopError) -> Iterator[None]:
    """Inside the block no other process is in such a block; the system lets go of it even after kill -9.

    Raises:
        TuneloopError: `busy`, if another one is.
    """
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / "lock", timeout=0):
            yield
    except Timeout:
        raise busy from None
