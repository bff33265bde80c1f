"""What a check found of a snapshot, kept in the workspace's cache, for whoever shows it later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tuneloop.core.fsio import make_dir, write_json
from tuneloop.core.paths import Workspace
from tuneloop.data.check import CheckReport, SuspectRow
from tuneloop.data.personal_data import PersonalData
from tuneloop.data.snapshot_folder import HASH_DIGITS
from tuneloop.data.stored import as_label
from tuneloop.data.text_statistics import Lengths

VERSION = 1


def keep_check(report: CheckReport, workspace: Workspace) -> None:
    """Keep a report under the hash of its snapshot.

    Raises:
        StorageError: if the disk refuses.
    """
    path = _path(report.hash, workspace)
    make_dir(path.parent)
    write_json(path, {"version": VERSION, "report": report.as_json()})


def kept_check(hash: str, workspace: Workspace) -> CheckReport | None:
    """The report on the snapshot with this hash; None if it was not checked, or by another version."""
    try:
        found = json.loads(_path(hash, workspace).read_text(encoding="utf-8"))
        if found["version"] != VERSION or found["report"]["hash"] != hash:
            return None
        return _report(found["report"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _path(hash: str, workspace: Workspace) -> Path:
    return workspace.cache / "checks" / f"{hash[:HASH_DIGITS]}.json"


def _report(plain: dict[str, Any]) -> CheckReport:
    given = {name: value for name, value in plain.items() if name != "problems"}  # found again, in any language
    for name in ("characters", "tokens", "answers"):
        given[name] = {split: Lengths(**figures) for split, figures in given[name].items()}
    given["suspects"] = [
        SuspectRow(**each | {"label": as_label(each["label"]), "suggested": as_label(each["suggested"])})
        for each in given["suspects"]
    ]
    given["personal"] = [
        PersonalData(each["kind"], each["rows"], [(id, mask) for id, mask in each["examples"]])
        for each in given["personal"]
    ]
    return CheckReport(**given)
