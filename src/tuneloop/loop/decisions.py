"""Decisions of earlier updates, as they lie in the workspace."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace, check_id

DECISION = "decision.json"


def decisions(workspace: Workspace, name: str | None = None) -> list[dict[str, Any]]:
    """The content of every decision.json, with the name of its folder as `id`, the newest first.

    Args:
        name: of one model alone.

    Returns:
        What can be read of them; a folder with a damaged file is left out.
    """
    found = []
    for path in workspace.updates.glob(f"*/{DECISION}"):
        with suppress(OSError, ValueError):
            found.append(_read(path))
    known = [each for each in found if name in (None, each["name"])]
    return sorted(known, key=lambda each: (each["created"], each["id"]), reverse=True)


def decision(update_id: str, workspace: Workspace) -> dict[str, Any]:
    """One of them.

    Raises:
        DataError: if there is none of this name, or it is damaged.
    """
    path = workspace.updates / check_id(update_id) / DECISION
    try:
        return _read(path)
    except FileNotFoundError:
        raise DataError(t("There is no update {name}.", name=update_id), t("Open the list of updates again.")) from None
    except (OSError, ValueError) as error:
        raise DataError(
            t("{path} cannot be read: {error}", path=path, error=error), t("Update the release again.")
        ) from None


def _read(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or not {"name", "created", "verdict", "reasons", "tried"} <= found.keys():
        raise ValueError(t("This is no decision."))
    return found | {"id": path.parent.name}
