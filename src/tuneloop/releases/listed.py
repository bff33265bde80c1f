"""Releases as a list shows them: the figure that counts, and whether one answers now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tuneloop.core.paths import Workspace
from tuneloop.releases.deployment import Deployment, deployed, names
from tuneloop.releases.index import Row, model_of

State = Literal["", "current", "shadow", "canary"]


@dataclass(frozen=True)
class Listed:
    """A release in a list.

    Args:
        row: of the index.
        metric: the name of the primary figure; empty where evaluation.json does not tell.
        figure: its `value`, `low` and `high`; None where there is none.
        state: whether it answers, or is tried; empty where it is not deployed.
    """

    row: Row
    metric: str
    figure: dict[str, Any] | None
    state: State


def listed(rows: Sequence[Row], workspace: Workspace) -> list[Listed]:
    """These releases, in order; a folder that cannot be read has no figure."""
    known = {name: deployed(name, workspace) for name in names(workspace)}
    return [Listed(row, *_figure(row.id, workspace), _state(row.id, known.get(model_of(row.id)))) for row in rows]


def _figure(release_id: str, workspace: Workspace) -> tuple[str, dict[str, Any] | None]:
    try:
        found = json.loads((workspace.releases / release_id / "evaluation.json").read_text(encoding="utf-8"))
        metric = str(found["task"]["primary_metric"])
        return metric, found["metrics"].get(metric)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "", None


def _state(release_id: str, found: Deployment | None) -> State:
    if found is None:
        return ""
    if found.candidate is not None and found.candidate.release == release_id:
        return found.candidate.stage
    return "current" if found.current == release_id else ""
