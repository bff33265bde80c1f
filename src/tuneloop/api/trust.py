"""The part of the Python door that asks what a model may do wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.project import Config, open_project

if TYPE_CHECKING:
    from tuneloop.releases.read import Release
    from tuneloop.training.run import Run


def audit(
    target: Run | Release | str = "latest",
    *,
    only: tuple[str, ...] = (),
    rows: int | None = None,
    config: Config | None = None,
    workspace: Path | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """What may be wrong with a run or release beyond its figures, and whether it passes its gate.

    Args:
        target: a run or release, or the name of one; "latest" is the newest run.
        only: the audits to run, and no others; limits and forbidden findings of others do not count then.
        rows: test rows that an audit looks at, at most.
        config: whose section `audit` holds; the one that the target was made with by default.
        workspace: where names are looked up.

    Returns:
        The content of audit.json, with the path of the page as `report`.

    Raises:
        ConfigError: if there is no such audit, option, figure or finding.
    """
    from tuneloop.api import DEFAULT_WORKSPACE, find, workspace_of
    from tuneloop.releases.auditing import audit as run_audit
    from tuneloop.releases.auditing import settings_of

    place = workspace_of(target, workspace or DEFAULT_WORKSPACE)
    subject = find(target, workspace=place.root) if isinstance(target, str) else target
    settings = open_project(config).config.audit if config is not None else settings_of(subject)
    return run_audit(subject, workspace=place, config=settings.narrowed(only, rows), quiet=quiet)
