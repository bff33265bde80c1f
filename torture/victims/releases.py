"""A release is written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from torture.harness import Broken, Report, Victim, undisturbed
from torture.invariants import leftovers, same_after_reindex, sound_releases
from torture.world import NAME, World
from tuneloop.core.paths import Workspace
from tuneloop.releases import index

REINDEX_EVERY, ANEW_EVERY = 10, 40
"""Rounds after which the index is built from the folders, and after which a new workspace is begun."""

NAIVE_BYTES = 2000
"""What is written at once where it is done naively."""


class ReleaseWriting(Victim):
    """Writes one release; the next writer cleans up behind a killed one."""

    name = "release writing"
    states = ("before", "temporary folder", "folder without row", "released")

    def __init__(self, folder: Path, world: World) -> None:
        super().__init__(folder)
        self.world, self.workspace = world, Workspace(folder / "w")
        self.known: set[str] = set()
        self.rows: set[str] = set()

    def prepare(self) -> None:
        if self.round % ANEW_EVERY == 0:
            self.finish()
            shutil.rmtree(self.workspace.root)
            self.known, self.rows = set(), set()
        self.workspace.releases.mkdir(parents=True, exist_ok=True)

    def work(self, report: Report, number: int) -> None:
        report(self.world.release(self.world.run, self.workspace).id)

    def fleeting(self, told: Path) -> bool:
        """Whether there is a new folder, whose row may not be written yet."""
        made = (path.name for path in self.workspace.releases.iterdir())
        return any(not name.startswith(".") and name not in self.known for name in made)

    def check(self, told: Sequence[str]) -> str:
        ids, orphans = sound_releases(self.workspace, known=self.known)
        new, bare = set(ids) - self.rows, set(orphans) - self.known
        if not self.rows <= set(ids) or not set(told) <= set(ids):
            raise Broken(f"releases that were there are gone: {sorted((self.rows | set(told)) - set(ids))}")
        if len(new) + len(bare) > 1:
            raise Broken(f"one writer left {sorted(new | bare)}")
        left = leftovers(self.workspace.releases)
        if any(leftover.count("/") == 0 for leftover in left) and (new or bare):
            raise Broken(f"temporary folders that the next writer did not clean: {left}")
        self.rows |= new
        self.known |= new | bare
        if self.round % REINDEX_EVERY == 0:
            same_after_reindex(self.workspace, self.folder / "reindexed")
        if new:
            return "released"
        if bare:
            return "folder without row"
        return "temporary folder" if left else "before"

    def finish(self) -> None:
        """One more release leaves nothing temporary, and has a number that no other ever had."""
        highest = max((int(name.rpartition("-")[2]) for name in self.known), default=0)
        (made,) = undisturbed(lambda report: self.work(report, 0), self.folder / "last")
        if leftovers(self.workspace.root):
            raise Broken(f"left behind: {leftovers(self.workspace.root)}")
        if int(made.rpartition("-")[2]) <= highest:
            raise Broken(f"the number of {made} was given before")
        same_after_reindex(self.workspace, self.folder / "reindexed")


class NaiveReleaseWriting(ReleaseWriting):
    """The same as many would write it, in place and with the row first: it must be caught."""

    name = "naive release writing"
    states = ()

    def work(self, report: Report, number: int) -> None:
        made = index.next_id(NAME, self.workspace)
        index.insert(index.Row(made, self.world.run.name, "hash", "2026-01-01", "torch-fp32"), self.workspace)
        source = self.folder / "whole" / "releases"
        source = next(source.glob(f"{NAME}-*"))
        target = self.workspace.releases / made
        target.mkdir()
        for file in sorted(path for path in source.rglob("*") if path.is_file()):
            place = target / file.relative_to(source)
            place.parent.mkdir(exist_ok=True)
            with place.open("wb") as out:
                for part in range(0, max(1, file.stat().st_size), NAIVE_BYTES):
                    out.write(file.read_bytes()[part : part + NAIVE_BYTES])
                    out.flush()
                    os.fsync(out.fileno())
        (target / "release.json").write_text(
            (source / "release.json").read_text(encoding="utf-8").replace(source.name, made), encoding="utf-8"
        )
        report(made)

    def prepare(self) -> None:
        self.workspace.releases.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "whole").exists():
            undisturbed(
                lambda _: (self.world.release(self.world.run, Workspace(self.folder / "whole")), None)[1],
                self.folder / "told-whole",
            )
        # each round begins anew, so that one broken release is counted once
        shutil.rmtree(self.workspace.root)
        self.workspace.releases.mkdir(parents=True)
        self.known, self.rows = set(), set()

    def finish(self) -> None:
        """Nothing that is naive need hold."""
