"""One process at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuneloop.core.errors import TuneloopError


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
