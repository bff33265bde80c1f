"""Pages that commands wrote into the workspace, by kind and name: never by path."""

from __future__ import annotations

from pathlib import Path

from tuneloop.core.errors import TuneloopError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace, check_id

KINDS = {
    "run": "runs/{name}/report.html",
    "run-audit": "runs/{name}/audit.html",
    "release": "releases/{name}/report.html",
    "release-audit": "releases/{name}/audit.html",
    "audit": "audits/{name}/audit.html",
    "comparison": "comparisons/{name}/report.html",
    "search": "searches/{name}/report.html",
    "watch": "watch/{name}/watch.html",
    "update": "updates/{name}/decision.html",
    "data": "check.html",
}


def report_path(kind: str, name: str, workspace: Workspace) -> Path:
    """Where a report lies.

    Raises:
        TuneloopError: if there is no such kind, or the name is none of ours, or the file is not there.
    """
    if kind in KINDS:
        path = workspace.root / KINDS[kind].format(name=check_id(name))
        if path.is_file() and path.resolve().is_relative_to(workspace.root.resolve()):
            return path
    raise TuneloopError(t("There is no such report."))
