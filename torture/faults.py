"""Writes that are refused: every system call of a release, every statement of a database, and a limit of the disk."""

from __future__ import annotations

import builtins
import errno
import io
import itertools
import os
import resource
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from torture.harness import Broken
from torture.invariants import leftovers, once, rows_of, sound_releases
from torture.victims.events import feedback_of
from torture.world import World
from tuneloop.core.errors import StorageError, TuneloopError
from tuneloop.core.paths import Workspace
from tuneloop.releases import index
from tuneloop.watch.base import Event
from tuneloop.watch.sqlite_store import SqliteStore

REFUSALS = (errno.ENOSPC, errno.EIO, errno.EACCES)
CALLS = {os: ("fsync", "replace", "rename", "mkdir", "open"), io: ("open",), builtins: ("open",)}
"""What writes go through."""

OPEN, OPEN_FILE = os.open, io.open

LIMIT_STEP = 8192
NOBODY = 65534


def check(folder: Path, world: World, *, thorough: bool) -> dict[str, Any]:
    """Refuse everything once; how many refusals there were of each kind.

    Args:
        thorough: refuse with every error, and raise the limit in small steps.

    Raises:
        Broken: if one was no clear error, or what was there before is not there after it.
    """
    return {
        "system calls of a release": _release_calls(folder / "calls", world, REFUSALS if thorough else REFUSALS[:1]),
        "statements of the index": _release_statements(folder / "index", world),
        "statements of events": _event_statements(folder / "events"),
        "limits of a file's size": _limits(folder / "limits", world, LIMIT_STEP if thorough else 8 * LIMIT_STEP),
        "permission": _without_permission(folder / "permission", world),
    }


def _release_calls(folder: Path, world: World, refusals: Sequence[int]) -> int:
    return sum(_until_none_is_refused(folder, world, lambda n, r=r: refusing_calls(n, r)) for r in refusals)


def _release_statements(folder: Path, world: World) -> int:
    return _until_none_is_refused(folder, world, refusing_statements)


def _until_none_is_refused(folder: Path, world: World, refusing: Callable[[int], Any]) -> int:
    """Write a release and refuse the first call, then the second, until one is written; how many were refused."""
    place = Workspace(folder / "w")
    before = [world.release(world.run, place).id]
    for number in itertools.count():
        try:
            with refusing(number) as refused:
                world.release(world.run, place)
        except TuneloopError as error:
            _clear(error)
        else:
            if not refused():
                _swept(place)
                sound_releases(place)
                return number
        now, orphans = sound_releases(place, known=before)
        if orphans or not set(before) <= set(now):
            raise Broken(f"after a refusal: {orphans} without a row, {sorted(set(before) - set(now))} gone")
        before = now
    raise AssertionError


def _clear(error: TuneloopError) -> None:
    if "\n" in error.problem or "[(" in error.problem or not error.hint:
        raise Broken(f"no clear error: {error}")


def _swept(place: Workspace) -> None:
    """Nothing, if the writer that came through has cleaned up behind those that were refused."""
    if left := leftovers(place.root):
        raise Broken(f"left behind: {left}")


@contextmanager
def refusing_calls(number: int, refusal: int) -> Iterator[Callable[[], bool]]:
    """Inside the block one system call fails; gives whether it has come."""
    count = itertools.count()
    came = []

    def failing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            if _writes(real, given) and next(count) == number:
                came.append(real)
                raise OSError(refusal, os.strerror(refusal))
            return real(*given, **more)

        return call

    with contextmanager(_patched)(failing):
        yield lambda: bool(came)


def _writes(call: Callable[..., Any], given: tuple[Any, ...]) -> bool:
    """Whether it is not a file that is opened to be read."""
    if call is OPEN_FILE:
        return len(given) > 1 and str(given[1])[:1] in "wax"
    return call is not OPEN or bool(given[1] & (os.O_WRONLY | os.O_RDWR))


def _patched(failing: Callable[..., Any]) -> Iterator[None]:
    from contextlib import ExitStack

    with ExitStack() as stack:
        for module, names in CALLS.items():
            for name in names:
                stack.enter_context(patch.object(module, name, failing(getattr(module, name))))
        yield


@contextmanager
def refusing_statements(number: int) -> Iterator[Callable[[], bool]]:
    """Inside the block one statement of SQLite fails; gives whether it has come."""
    count, came, connect = itertools.count(), [], sqlite3.connect

    def refuse(statement: str) -> None:
        if next(count) == number:
            came.append(statement)
            raise sqlite3.OperationalError("database or disk is full")

    class Cursor(sqlite3.Cursor):
        def execute(self, statement: str, *given: Any) -> Any:
            refuse(statement)
            return super().execute(statement, *given)

        def executemany(self, statement: str, *given: Any) -> Any:
            refuse(statement)
            return super().executemany(statement, *given)

    class Connection(sqlite3.Connection):
        def execute(self, statement: str, *given: Any) -> Any:
            refuse(statement)
            return super().execute(statement, *given)

        def cursor(self, *given: Any) -> Any:
            return super().cursor(Cursor)

    with patch.object(sqlite3, "connect", lambda *given, **more: connect(*given, **more, factory=Connection)):
        yield lambda: bool(came)


def _event_statements(folder: Path) -> int:
    folder.mkdir()
    path = folder / "events.sqlite"
    for number in itertools.count():
        with refusing_statements(number) as refused:
            acknowledged = _keep(path, f"n{number}")
        _kept(path, f"n{number}", acknowledged)
        if not refused():
            return number
    raise AssertionError


def _keep(path: Path, key: str) -> list[str]:
    """Keep events and feedback, or be told that it is refused; what was acknowledged."""
    try:
        store = SqliteStore(path)
        try:
            store.add_events([Event(f"{key}.{part}", 1.0, "m-1", "00", "yes", 0.9) for part in range(3)])
            return [each.feedback.key for each in store.add_feedback([feedback_of(key)]) if each.feedback]
        finally:
            store.close()
    except StorageError as error:
        _clear(error)
        return []


def _kept(path: Path, key: str, acknowledged: list[str]) -> None:
    """Nothing, if what was acknowledged is there once, and the same call goes through now."""
    for known in (acknowledged, [key]):
        keys = [str(found) for (found,) in rows_of(path, "SELECT key FROM tuneloop_feedback")]
        once(known, Counter(keys), keys)
        if _keep(path, key) != [key]:
            raise Broken(f"{key} is refused, although nothing is wrong any more")


def _limits(folder: Path, world: World, step: int) -> int:
    """No file may grow beyond a limit, which is raised step by step: a disk that is full at each place."""
    place = Workspace(folder / "w")
    first = world.release(world.run, place).id
    refused = 0
    for limit in range(0, 10**9, step):
        with limited(limit), suppress(StorageError):
            if first not in {row.id for row in index.rows(place)}:
                raise Broken("the releases cannot be read on a full disk")
        try:
            with limited(limit):
                world.release(world.run, place)
            break
        except StorageError as error:
            _clear(error)
            refused += 1
        sound_releases(place)
        with limited(limit):
            acknowledged = _keep(folder / "events.sqlite", f"n{limit}")
        _kept(folder / "events.sqlite", f"n{limit}", acknowledged)
    world.release(world.run, place)
    _swept(place)
    return refused


@contextmanager
def limited(size_bytes: int) -> Iterator[None]:
    """Inside the block no file of this process grows beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _without_permission(folder: Path, world: World) -> int:
    """The workspace becomes read-only: what is there can be read, and a write is one clear error."""
    place = Workspace(folder / "w")
    release = world.release(world.run, place).id
    folders = [place.root, place.releases]
    for path in folders:
        path.chmod(0o555)
    place.index.chmod(0o444)
    if os.geteuid() == 0:  # whom permissions do not hold
        world.folder.parent.chmod(0o755)
        os.seteuid(NOBODY)
    if [row.id for row in index.rows(place)] != [release]:
        raise Broken("the releases cannot be read")
    refused = 0
    for write in (lambda: world.release(world.run, place), lambda: SqliteStore(place.events)):
        try:
            write()
        except StorageError as error:
            _clear(error)
            refused += 1
    if refused != 2:
        raise Broken("a write went through where none is allowed")
    return refused
