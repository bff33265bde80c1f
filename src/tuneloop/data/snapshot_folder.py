"""A snapshot: cleaned, split and hashed examples in a folder that never changes.

The same files with the same settings give the same snapshot, byte for byte: nothing in it depends
on the clock, the machine or where the files lie.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneloop.core import fsio
from tuneloop.core.errors import DataError, StorageError
from tuneloop.core.hashing import hash_file, hash_json
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.data.split import SPLITS
from tuneloop.data.stored import hash_examples, read_examples, schema, write_examples

DATASET_FILE = "dataset.json"
VERSION = 1
HASH_DIGITS = 12


@dataclass(frozen=True)
class Snapshot:
    """An opened snapshot folder.

    Args:
        path: the folder.
        info: what its dataset.json says.
    """

    path: Path
    info: dict[str, Any]

    @property
    def hash(self) -> str:
        """Content hash of the splits and of how they were made, 64 hexadecimal digits."""
        return str(self.info["hash"])

    @property
    def name(self) -> str:
        """A short name, after the source."""
        return str(self.info["name"])

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, sorted; empty for tasks without classes."""
        return tuple(self.info["labels"])

    @property
    def task(self) -> str:
        """The type of the task whose labels these are."""
        return str(self.info["task"])

    @property
    def report(self) -> dict[str, Any]:
        """What was read, mended, removed and split: see `snapshot.build_snapshot`."""
        report: dict[str, Any] = self.info["report"]
        return report

    def split(self, name: str) -> Examples:
        """The rows of train, dev or test.

        Raises:
            DataError: if there is no such split.
        """
        if name not in SPLITS:
            raise DataError(
                t("There is no split called {name!r}.", name=name),
                t("Choose one of: {known}.", known=", ".join(SPLITS)),
            )
        return read_examples(self.path / f"{name}.parquet")


def open_snapshot(path: Path) -> Snapshot:
    """The snapshot in a folder, after every file has been compared with its hash.

    Raises:
        DataError: if a file is missing or has changed.
    """
    try:
        info = json.loads((path / DATASET_FILE).read_text(encoding="utf-8"))
        whole = info.pop("checksum") == hash_json(info) and all(
            hash_file(path / name) == digest for name, digest in info["files"].items()
        )
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        whole = False
    if not whole:
        raise DataError(
            t("The snapshot {path} is damaged: a file is missing or has changed.", path=path),
            t("Delete that folder; the next check or tune makes it again from the source."),
        )
    return Snapshot(path, info)


def used(snapshot: Snapshot) -> Snapshot:
    """The snapshot itself, whose time now says that it was asked for last; its content stays."""
    with suppress(OSError):  # on a read-only disk nothing is made either
        os.utime(snapshot.path / DATASET_FILE)
    return snapshot


def find_snapshot(hash: str, workspace: Workspace) -> Snapshot:
    """The snapshot with this hash.

    Raises:
        DataError: if the workspace has none, or it is damaged.
    """
    path = snapshot_folder(hash, workspace)
    if path is None:
        raise DataError(
            t("There is no snapshot {hash} in {folder}.", hash=hash[:HASH_DIGITS], folder=workspace.snapshots),
            t("Make it again with: tuneloop check"),
        )
    return open_snapshot(path)


def snapshot_folder(hash: str, workspace: Workspace) -> Path | None:
    """Where the snapshot with this hash lies, if there is one."""
    found = sorted(workspace.snapshots.glob(f"*-{hash[:HASH_DIGITS]}")) if len(hash) >= HASH_DIGITS else []
    return next((path for path in found if not path.name.startswith(fsio.STAGING_PREFIX)), None)


def save_snapshot(
    splits: dict[str, Examples],
    *,
    name: str,
    task: str,
    labels: list[str],
    settings: dict[str, Any],
    report: dict[str, Any],
    workspace: Workspace,
) -> Snapshot:
    """A snapshot of these rows: written, or the one that is there already.

    Args:
        splits: train, dev and test.
        name: a short name.
        task: the type of the task.
        labels: class names, sorted.
        settings: how the rows were cleaned and split; part of the hash.
        report: what was found on the way; not part of the hash.
        workspace: where snapshots are kept.

    Raises:
        StorageError: if the disk refuses.
        DataError: if the one that is there is damaged.
    """
    identity = {
        "version": VERSION, "task": task, "labels": labels, "settings": settings, "schema": schema(splits["train"]),
        "rows": {split: len(rows) for split, rows in splits.items()},
        "content": {split: hash_examples(rows) for split, rows in splits.items()},
    }  # fmt: skip
    digest = hash_json(identity)
    existing = snapshot_folder(digest, workspace)
    if existing is not None:
        return open_snapshot(existing)
    path = workspace.snapshots / f"{name}-{digest[:HASH_DIGITS]}"
    try:
        with fsio.new_dir(path) as folder:
            for split, rows in splits.items():
                write_examples(folder / f"{split}.parquet", rows)
            files = {file.name: hash_file(file) for file in sorted(folder.iterdir())}
            info = {"hash": digest, "name": name} | identity | {"report": report, "files": files}
            fsio.write_json(folder / DATASET_FILE, info | {"checksum": hash_json(info)})
    except StorageError:
        if not path.is_dir():  # else another process wrote the same at the same time
            raise
    return open_snapshot(path)
