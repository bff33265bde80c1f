"""Lost power: what was not flushed is gone. Every moment of writing a release, with the disk as it may be then.

kill -9 leaves what the system holds in memory; a power cut does not. Every flush and rename is recorded, and after each
of them the disk is built anew in two ways: with the names that were flushed alone, and with all names but only the
contents that were flushed. SQLite flushes its own file; its rows count from when it says so.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from torture.harness import Broken
from torture.invariants import sound_releases
from torture.world import World
from tuneloop.core.paths import Workspace

CALLS = ("fsync", "replace", "rename", "unlink", "rmdir", "mkdir")


class Disk:
    """What a disk holds for certain.

    Args:
        root: the folder that is watched; it is there for certain.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.contents: dict[int, bytes] = {}
        self.names: dict[int, dict[str, int]] = {}

    def flushed(self, descriptor: int) -> None:
        """A file or folder was flushed."""
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        inode = os.fstat(descriptor).st_ino
        if path.is_dir():
            self.names[inode] = {each.name: each.stat().st_ino for each in path.iterdir()}
        else:
            self.contents[inode] = path.read_bytes()

    def rebuild(self, target: Path, *, all_names: bool) -> None:
        """The folder as it may be after a power cut.

        Args:
            all_names: whether names are there that were not flushed; else those are gone.
        """
        self._folder(self.root, target, all_names)

    def _folder(self, source: Path, target: Path, all_names: bool) -> None:
        target.mkdir()
        flushed = self.names.get(source.stat().st_ino, {})
        for path in source.iterdir():
            inode = path.stat().st_ino
            if not all_names and flushed.get(path.name) != inode:
                continue
            if path.is_dir():
                self._folder(path, target / path.name, all_names)
            elif path.suffix != ".sqlite":
                (target / path.name).write_bytes(self.contents.get(inode, b""))


def check(folder: Path, world: World, *, thorough: bool) -> dict[str, Any]:
    """Cut the power at every moment of writing a release; how many states of the disk were looked at.

    Raises:
        Broken: if a reader would see a release that is not whole, or one that was acknowledged is gone.
    """
    place = Workspace(folder / "disk" / "w")
    place.root.parent.mkdir()
    disk, states = Disk(place.root.parent), 0

    def look(*, released: str = "") -> None:
        nonlocal states
        for all_names in (False, True):
            target = folder / "after"
            disk.rebuild(target, all_names=all_names)
            after = Workspace(target / "w")
            if released:
                shutil.copy(place.index, after.index)
            ids, _ = sound_releases(after)
            if released and released not in ids:
                raise Broken(f"{released} was acknowledged and is gone")
            shutil.rmtree(target)
            states += 1

    with recorded(disk, look):
        made = world.release(world.run, place).id
    look(released=made)
    if states < 20:
        raise Broken(f"only {states} states were seen: not all goes through what is recorded")
    return {"states of the disk": states, "control": _control(folder / "control")}


@contextmanager
def recorded(disk: Disk, look: Callable[[], None]) -> Iterator[None]:
    """Inside the block the disk knows of every flush, and is looked at after every call."""
    real = {name: getattr(os, name) for name in CALLS}
    watching = [True]

    def watched(name: str) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            result = real[name](*given, **more)
            if watching[0]:
                watching[0] = False  # looking makes and removes files itself
                if name == "fsync":
                    disk.flushed(given[0])
                look()
                watching[0] = True
            return result

        return call

    with patch.multiple(os, **{name: watched(name) for name in CALLS}):
        yield


def _control(folder: Path) -> str:
    """A folder that is renamed before it was flushed must be found broken.

    Raises:
        Broken: if it was not.
    """
    place = Workspace(folder / "disk" / "w")
    place.releases.mkdir(parents=True)
    disk = Disk(place.root.parent)
    (place.releases / ".tmp-x").mkdir()
    for name in ("model.safetensors", "manifest.json"):
        (place.releases / ".tmp-x" / name).write_bytes(b'{"files": {}}')
    (place.releases / ".tmp-x").rename(place.releases / "mood-1")
    disk.rebuild(folder / "after", all_names=True)
    try:
        sound_releases(Workspace(folder / "after" / "w"))
    except Broken:
        return "caught"
    raise Broken("a folder that was never flushed was taken for a release")
