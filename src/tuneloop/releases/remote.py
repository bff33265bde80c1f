"""Finished folders of a workspace in an object store: sent there, and fetched where they are needed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuneloop.core import fsio
from tuneloop.core.errors import ReleaseError
from tuneloop.core.hashing import hash_file
from tuneloop.core.i18n import t
from tuneloop.core.object_store import ObjectStore
from tuneloop.core.paths import ID_PATTERN, Workspace
from tuneloop.core.progress import progress
from tuneloop.releases import index
from tuneloop.releases.manifest import MANIFEST, verify

KINDS = {
    "snapshots": "dataset.json", "encoders": "pretraining.json", "runs": "run.json", "releases": MANIFEST,
    "audits": "audit.json",
}  # fmt: skip
"""Folders of a workspace that are copied, and the file that each of a kind has once it is finished."""

NEVER_CHANGE = ("snapshots", "encoders", "releases")
LEFT_OUT = ("checkpoints", "lock")
"""Parts of a run that only its own training needs."""


@dataclass(frozen=True)
class Copied:
    """A folder that was sent or fetched.

    Args:
        name: its kind and its name, such as releases/mood-3.
        files: that had to be transferred; 0 where all was there.
    """

    name: str
    files: int


def push(url: str, names: Sequence[str] = (), *, workspace: Workspace, quiet: bool = False) -> list[Copied]:
    """Send finished folders; all of a workspace by default.

    Args:
        names: of folders, such as releases/mood-3 or mood-3; a model's name means its newest release.

    Raises:
        ReleaseError: if there is no such folder, a release is damaged, or another one has its name there.
        StorageError: if the store refuses; a folder is then there whole or not at all.
    """
    store = ObjectStore(url)
    here = {kind: [path.name for path in _finished(kind, workspace)] for kind in KINDS}
    return [_send(store, *each, workspace, quiet=quiet) for each in _chosen(names, here, str(workspace.root))]


def pull(url: str, names: Sequence[str] = (), *, workspace: Workspace, quiet: bool = False) -> list[Copied]:
    """Fetch folders, every file checked; all of the store by default. Releases are entered into the index.

    Args:
        names: as those of `push`.

    Raises:
        ReleaseError: if there is no such folder, or another one has its name here.
        StorageError: if the store or the disk refuses, or a file is damaged; a folder is then here whole or not at all.
    """
    store = ObjectStore(url)
    there = {kind: store.names(kind) for kind in KINDS}
    return [_fetch(store, *each, workspace, quiet=quiet) for each in _chosen(names, there, url)]


def fetch_release(release_id: str, workspace: Workspace) -> None:
    """Fetch a release, with an audit that was made of it later, from where the workspace comes from.

    Raises:
        ReleaseError: if it is not there.
        StorageError: if the store or the disk refuses, or a file is damaged.
    """
    store = ObjectStore(workspace.remote)
    _fetch(store, "releases", release_id, workspace, quiet=False)
    if store.listed("audits", release_id) is not None:
        _fetch(store, "audits", release_id, workspace, quiet=True)


def is_there(release_id: str, workspace: Workspace) -> bool:
    """Whether a release could be fetched."""
    return bool(workspace.remote) and ObjectStore(workspace.remote).listed("releases", release_id) is not None


def enter_releases(workspace: Workspace) -> None:
    """Enter into the index what releases there are where the workspace comes from."""
    store = ObjectStore(workspace.remote)
    known = {row.id for row in index.rows(workspace)}
    for name in store.names("releases"):
        told = None if name in known else store.listed("releases", name)
        if told is not None:
            _enter(told, workspace)


def _finished(kind: str, workspace: Workspace) -> Iterator[Path]:
    for folder in sorted((workspace.root / kind).glob("*")):
        if not ID_PATTERN.match(folder.name) or not (folder / KINDS[kind]).is_file():
            continue
        if kind == "runs" and json.loads((folder / "run.json").read_text(encoding="utf-8"))["status"] != "finished":
            continue
        yield folder


def _chosen(names: Sequence[str], found: dict[str, list[str]], place: str) -> list[tuple[str, str]]:
    """Kind and name of each folder that is meant, releases last: whoever sees one finds what it comes from."""
    every = [(kind, name) for kind in sorted(found, key="releases".__eq__) for name in found[kind]]
    if not names:
        return every
    wanted: set[tuple[str, str]] = set()
    for name in names:
        newest = _newest(name, found["releases"])
        meant = {each for each in every if name in (each[1], "/".join(each)) or each == ("releases", newest)}
        if not meant:
            raise ReleaseError(
                t("There is nothing finished called {name} in {place}.", name=name, place=place),
                t("Name a release, run, snapshot, encoder or audit, such as releases/mood-3."),
            )
        wanted |= meant
    return [each for each in every if each in wanted]


def _newest(name: str, releases: Sequence[str]) -> str:
    """The release of a model with the highest number; empty without one."""
    numbers = [int(each.rpartition("-")[2]) for each in releases if _is_of(name, each)]
    return f"{name}-{max(numbers)}" if numbers else ""


def _is_of(name: str, release: str) -> bool:
    return index.model_of(release) == name and release.rpartition("-")[2].isdecimal()


def _send(store: ObjectStore, kind: str, name: str, workspace: Workspace, *, quiet: bool) -> Copied:
    folder, before = workspace.root / kind / name, store.listed(kind, name)
    files = _described(kind, folder)
    if before is not None and before["files"] == files:
        return Copied(f"{kind}/{name}", 0)
    if before is not None and kind in NEVER_CHANGE:
        raise _another(f"{store.url}/{kind}/{name}")
    sent, done = 0, 0
    with progress(f"{kind}/{name}", sum(each["bytes"] for each in files.values()), quiet=quiet) as bar:
        for file, entry in files.items():
            sent += store.put(folder / file, str(entry["sha256"]))
            done += int(entry["bytes"])
            bar.update(done)
    told: dict[str, Any] = {"version": 1, "files": files}
    if kind == "releases":
        info = json.loads((folder / "release.json").read_text(encoding="utf-8"))
        told["row"] = asdict(index.row_of(info))
    store.publish(kind, name, told)
    return Copied(f"{kind}/{name}", sent)


def _described(kind: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of each file."""
    known: dict[str, dict[str, Any]] = {}
    if kind == "releases":
        verify(folder)
        known = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    names = [path.relative_to(folder).as_posix() for path in _files(folder)]
    return {name: known.get(name) or _described_file(folder / name) for name in names}


def _described_file(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": hash_file(path)}


def _fetch(store: ObjectStore, kind: str, name: str, workspace: Workspace, *, quiet: bool) -> Copied:
    folder, told = workspace.root / kind / name, store.listed(kind, name)
    if told is None:
        raise ReleaseError(
            t("There is no {name} in {url}.", name=f"{kind}/{name}", url=store.url),
            t("Send it there with: tuneloop push {url} {name}", url=store.url, name=f"{kind}/{name}"),
        )
    files = told["files"]
    fetched = 0
    if not _is_here(folder, files):
        if folder.exists() and kind in NEVER_CHANGE:
            raise _another(str(folder))
        fetched = _bring(store, folder, files, workspace, quiet=quiet)
    if kind == "releases":
        _enter(told, workspace)
    return Copied(f"{kind}/{name}", fetched)


def _bring(
    store: ObjectStore, folder: Path, files: dict[str, dict[str, Any]], workspace: Workspace, *, quiet: bool
) -> int:
    """Fetch a folder as a whole; files that an interrupted fetching has left are used. How many were fetched."""
    waiting, fetched, done = workspace.cache / "fetched", 0, 0
    title = f"{folder.parent.name}/{folder.name}"
    with (
        fsio.new_dir(folder, replace=True) as staging,
        progress(title, sum(each["bytes"] for each in files.values()), quiet=quiet) as bar,
    ):
        for name, entry in files.items():
            kept, target = waiting / entry["sha256"], staging / name
            if not kept.is_file():
                fsio.make_dir(waiting)
                store.get(entry["sha256"], kept)
                fetched += 1
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(kept, target)
            done += entry["bytes"]
            bar.update(done)
    for entry in files.values():
        (waiting / entry["sha256"]).unlink(missing_ok=True)
    return fetched


def _link(kept: Path, target: Path) -> None:
    try:
        os.link(kept, target)
    except OSError:  # a file system without links
        shutil.copyfile(kept, target)


def _enter(told: dict[str, Any], workspace: Workspace) -> None:
    index.enter(index.Row(**told["row"]), workspace)


def _is_here(folder: Path, files: dict[str, dict[str, Any]]) -> bool:
    found = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    return found.keys() == files.keys() and all(_described_file(path) == files[name] for name, path in found.items())


def _files(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(
        path
        for path in found
        if path.relative_to(folder).parts[0] not in LEFT_OUT
        and not any(part.startswith(fsio.STAGING_PREFIX) for part in path.relative_to(folder).parts)
    )


def _another(place: str) -> ReleaseError:
    return ReleaseError(
        t("{place} is there already, with other content.", place=place),
        t("Folders of this kind never change: make it again under another name or number."),
    )
