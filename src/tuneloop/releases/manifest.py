"""The manifest of a folder: size and SHA-256 of every file, written last."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tuneloop.core import fsio
from tuneloop.core.errors import ReleaseError
from tuneloop.core.hashing import hash_file
from tuneloop.core.i18n import t

MANIFEST = "manifest.json"


def write_manifest(folder: Path) -> None:
    """Record every file under `folder`; call it after the last of them is written."""
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": hash_file(path)}
        for path in _files(folder)
    }
    fsio.write_json(folder / MANIFEST, {"version": 1, "files": files})


@dataclass(frozen=True)
class Checked:
    """A file of a folder beside what the manifest says of it.

    Args:
        name: its path in the folder.
        bytes: its size, of the manifest where it is recorded.
        sha256: what the manifest has; empty for a file that it does not have.
        state: same; changed; missing; or unknown: it is not recorded.
    """

    name: str
    bytes: int
    sha256: str
    state: Literal["same", "changed", "missing", "unknown"]


def verify(folder: Path, *, hashes: bool = True) -> None:
    """Compare every file with the manifest.

    Args:
        hashes: whether the files are read; else only their sizes are looked at, which takes no time.

    Raises:
        ReleaseError: naming the first file that is missing, changed or not recorded.
    """
    for file in checked(folder, hashes=hashes):
        if file.state != "same":
            raise _damaged(folder / file.name)


def checked(folder: Path, *, hashes: bool = True) -> Iterator[Checked]:
    """Every file that is there or recorded, by name; `hashes` as those of `verify`.

    Raises:
        ReleaseError: if the manifest itself cannot be read.
    """
    try:
        recorded = dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"])
        expected = {name: (entry["bytes"], entry["sha256"]) for name, entry in recorded.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise _damaged(folder / MANIFEST) from None
    found = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    for name in sorted(expected.keys() | found.keys()):
        if name not in expected:
            yield Checked(name, found[name].stat().st_size, "", "unknown")
        elif name not in found:
            yield Checked(name, *expected[name], "missing")
        else:
            yield Checked(name, *expected[name], "same" if _same(found[name], expected[name], hashes) else "changed")


def _same(path: Path, expected: tuple[int, str], hashes: bool) -> bool:
    return path.stat().st_size == expected[0] and (not hashes or hash_file(path) == expected[1])


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)


def _damaged(path: Path) -> ReleaseError:
    return ReleaseError(
        t("The release is damaged: {path} is missing or is not the file that was released.", path=path),
        t("Restore the folder from a copy, or make the release again from its run."),
    )
