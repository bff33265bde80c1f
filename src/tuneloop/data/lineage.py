"""The snapshots that were made of one project, and what changed from one to the next."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneloop.core.config import RunConfig
from tuneloop.core.fsio import STAGING_PREFIX
from tuneloop.core.paths import Workspace
from tuneloop.data.snapshot import name_of, settings_of
from tuneloop.data.snapshot_folder import DATASET_FILE, Snapshot
from tuneloop.data.split import SPLITS
from tuneloop.data.stored import plain_label

SHOWN = 20
"""Rows that are named, at most."""


def snapshots_of(config: RunConfig, workspace: Workspace) -> list[Path]:
    """Folders of snapshots of this source, task and settings, the one used last first; corrections may differ."""
    wanted = (name_of(config.data.source), config.task.type, settings_of(config))
    found = []
    for file in workspace.snapshots.glob(f"*/{DATASET_FILE}"):
        try:
            info, at = json.loads(file.read_text(encoding="utf-8")), file.stat().st_mtime
        except (OSError, ValueError):  # it is being removed, or damaged: then the next check tells
            continue
        settings = {name: value for name, value in info.get("settings", {}).items() if name != "corrections"}
        if (info.get("name"), info.get("task"), settings) == wanted and not file.parent.name.startswith(STAGING_PREFIX):
            found.append((at, file.parent))
    return [path for _, path in sorted(found, reverse=True)]


@dataclass(frozen=True)
class Changes:
    """What a snapshot says otherwise than the one before.

    Args:
        rows: rows per split, as (before, now).
        relabelled: texts with another label; `examples` has the first of them.
        gone: texts that are no longer there.
        new: texts that were not there.
        moved: texts that are in another split.
        examples: text, label before and label now.
    """

    rows: dict[str, tuple[int, int]]
    relabelled: int
    gone: int
    new: int
    moved: int
    examples: list[tuple[str, Any, Any]]


def changes(before: Snapshot, now: Snapshot) -> Changes:
    """What changed from one snapshot to another; rows are the same where texts are."""
    old, new = _rows(before), _rows(now)
    both = [key for key in new if key in old]
    relabelled = [key for key in both if old[key][1] != new[key][1]]
    counts = [Counter(split for split, _ in rows.values()) for rows in (old, new)]
    return Changes(
        rows={split: (counts[0][split], counts[1][split]) for split in SPLITS},
        relabelled=len(relabelled),
        gone=len(old) - len(both),
        new=len(new) - len(both),
        moved=sum(old[key][0] != new[key][0] for key in both),
        examples=[(key[0], plain_label(old[key][1]), plain_label(new[key][1])) for key in relabelled[:SHOWN]],
    )


def _rows(snapshot: Snapshot) -> dict[tuple[str, str | None, int], tuple[str, Any]]:
    """Split and label of each text; texts that occur several times are told apart by the order."""
    seen: Counter[tuple[str, str | None]] = Counter()
    found = {}
    for split in SPLITS:
        part = snapshot.split(split)
        pairs: Sequence[str | None] = part.pairs or [None] * len(part)
        for text, pair, label in zip(part.texts, pairs, part.labels, strict=True):
            found[text, pair, seen[text, pair]] = (split, label)
            seen[text, pair] += 1
    return found
