"""What a result hangs on beside data and settings: the code of tuneloop and the machine's versions."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any

PACKAGE = Path(__file__).parents[1]
GIT_S = 10
"""Seconds that git may take to answer."""


@functools.cache
def code_version() -> dict[str, Any]:
    """Which tuneloop this is, as JSON.

    `version` of the package; `source_sha256` of its Python files, which tells a changed line even where nobody raised
    the version; and, where it runs from its own git checkout, `commit` and whether files `changed` since.
    """
    found: dict[str, Any] = {"version": _version(), "source_sha256": _source_hash()}
    if (PACKAGE.parents[1] / ".git").exists():  # else a checkout around it would be somebody else's
        commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--", str(PACKAGE))
        if commit:
            found |= {"commit": commit, "changed": bool(changes)}
    return found


@functools.cache
def environment() -> dict[str, str | int]:
    """Versions, processor and cores that figures and answers depend on; nothing that names the machine or its user."""
    from tuneloop.core.machine import CORE_PACKAGES, processor_name

    versions = {name: version(name) for name in CORE_PACKAGES}
    return {"python": python_version(), "processor": processor_name(), "cores": os.cpu_count() or 1, **versions}


def _version() -> str:
    try:
        return version("tuneloop")
    except PackageNotFoundError:
        return ""


def _source_hash() -> str:
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        name, content = file.relative_to(PACKAGE).as_posix().encode(), file.read_bytes()
        digest.update(b"%d %s %d " % (len(name), name, len(content)) + content)
    return digest.hexdigest()


def _git(*arguments: str) -> str:
    """What git says; nothing if it is not there or refuses."""
    try:
        done = subprocess.run(
            ["git", "-C", str(PACKAGE), *arguments], capture_output=True, text=True, timeout=GIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
