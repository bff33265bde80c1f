"""What must hold of a workspace at any moment, by code that shares nothing with what wrote it: SQLite, JSON, hashes."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path

from torture.harness import Broken
from tuneloop.core.paths import Workspace
from tuneloop.releases import index
from tuneloop.releases.read import open_release


def rows_of(database: Path, query: str) -> list[tuple[object, ...]]:
    """What a SQLite file says; nothing if it is not there or has no such table yet.

    Raises:
        Broken: if it is damaged.
    """
    if not database.exists():
        return []
    with closing(sqlite3.connect(database, timeout=60)) as opened:
        (said,) = opened.execute("PRAGMA integrity_check").fetchone()
        if said != "ok":
            raise Broken(f"{database.name} is damaged: {said}")
        try:
            return opened.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise


def whole(folder: Path) -> None:
    """Nothing, if a release's folder holds the files of its manifest and no others.

    Raises:
        Broken: if not.
    """
    try:
        recorded = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError) as error:
        raise Broken(f"{folder.name} has no manifest: {error}") from None
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    if files.keys() - {"manifest.json"} != recorded.keys():
        raise Broken(f"{folder.name} has other files than its manifest: {files.keys() ^ recorded.keys()}")
    for name, said in recorded.items():
        if hashlib.sha256(files[name].read_bytes()).hexdigest() != said["sha256"]:
            raise Broken(f"{folder.name}/{name} is not what was written")


def sound_releases(workspace: Workspace, *, known: Collection[str] = ()) -> tuple[list[str], list[str]]:
    """Ids of releases with a row, and of whole folders without one.

    Args:
        known: what was looked at before, and need not be again.

    Raises:
        Broken: if a row has no whole folder, or a folder that could be taken for a release is not whole.
    """
    ids = [str(row[0]) for row in rows_of(workspace.index, "SELECT id FROM releases")]
    folders = {path.name: path for path in workspace.releases.glob("*") if not path.name.startswith(".tmp-")}
    if lost := set(ids) - folders.keys():
        raise Broken(f"rows without a folder: {sorted(lost)}")
    for name, folder in folders.items():
        if name not in known:
            whole(folder)
    for name in set(ids) - set(known):
        open_release(name, workspace)
    if sorted(ids) != sorted(row.id for row in index.rows(workspace)):
        raise Broken("tuneloop sees other rows than SQLite")
    return ids, sorted(folders.keys() - set(ids))


def same_after_reindex(workspace: Workspace, scratch: Path) -> None:
    """Nothing, if an index that is built from the folders has the same rows, and the folders that had none.

    Raises:
        Broken: if not.
    """
    ids, orphans = sound_releases(workspace)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    (scratch / "releases").symlink_to(workspace.releases.resolve(), target_is_directory=True)
    before = {row.id: row for row in index.rows(workspace)}
    after = {row.id: row for row in index.reindex(Workspace(scratch))}
    if after.keys() != {*ids, *orphans} or any(after[name] != row for name, row in before.items()):
        raise Broken("an index built from the folders differs")


def leftovers(folder: Path) -> list[str]:
    """Temporary files and folders below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob(".tmp-*"))


def once(acknowledged: Collection[str], stored: Counter[str], sent: Collection[str]) -> None:
    """Nothing, if all that was acknowledged is there, nothing twice, and nothing that nobody sent.

    Raises:
        Broken: if not.
    """
    if lost := set(acknowledged) - stored.keys():
        raise Broken(f"acknowledged and lost: {sorted(lost)[:5]}")
    if doubled := [name for name, count in stored.items() if count > 1]:
        raise Broken(f"there twice: {doubled[:5]}")
    if strange := stored.keys() - set(sent):
        raise Broken(f"never sent: {sorted(strange)[:5]}")


def same(found: Mapping[str, object], wanted: Mapping[str, object], what: str) -> None:
    """Nothing, if both are equal.

    Raises:
        Broken: naming what differs.
    """
    if differing := [name for name in {*found, *wanted} if found.get(name) != wanted.get(name)]:
        raise Broken(f"{what} differ in {sorted(differing)[:5]}")
