"""Copying a release out of the workspace."""

from __future__ import annotations

from pathlib import Path

from tuneloop.core import fsio
from tuneloop.core.paths import Workspace
from tuneloop.releases.read import open_release


def export(release_id: str, target: Path, *, workspace: Workspace) -> Path:
    """A checked copy of the whole release folder at `target`, which must not exist yet.

    Raises:
        ReleaseError: if the release does not exist or is damaged.
        StorageError: if `target` exists or the disk refuses; nothing is then left there.
    """
    release = open_release(release_id, workspace)
    with fsio.new_dir(target) as folder:
        fsio.copy_dir(release.path, folder)
    return target
