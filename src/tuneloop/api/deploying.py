"""The part of the Python door that says which release answers on running servers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.api.releasing import DEFAULT_WORKSPACE
from tuneloop.core.deploying import MOST_SHARE
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace, check_id

if TYPE_CHECKING:
    from tuneloop.releases.deployment import Change, Deployment


def deploy(
    release: str,
    *,
    shadow: bool = False,
    canary: float | None = None,
    why: str = "",
    workspace: Path = DEFAULT_WORKSPACE,
    dry_run: bool = False,
    after: int | None = None,
) -> dict[str, Any]:
    """Let a release answer on every server that follows its model, or have it tried beside the current one.

    Args:
        release: its id; a model's name means its newest release. Every file is checked.
        shadow: only have it answer what the current release answers too, and count how far they agree.
        canary: only have it answer this share of the requests; servers take it out if it is worse for certain.
        why: for the record.
        dry_run: only check and tell what would be recorded.
        after: only if this is still the number of the last change, as `deployments` says it.

    Returns:
        What was recorded: `kind`, `release`, and `current`, `before` and `candidate` as they are afterwards.

    Raises:
        ReleaseError: if there is no such release, it is damaged, its audit does not pass, it answers another task than
            the current one, it cannot be tried beside it, or somebody else was quicker.
        ConfigError: if the share is impossible.
        StorageError: if the record cannot be written.
    """
    from tuneloop.releases.index import newest
    from tuneloop.releases.promotion import check, promote, try_out, user

    if canary is not None and (shadow or not 0 < canary <= MOST_SHARE):
        raise ConfigError(
            t("A canary cannot be a shadow too.")
            if shadow
            else t("A canary cannot answer {share:g} of the requests.", share=canary),
            t("Give --shadow, or --canary with a share above 0, and at most {most:g}.", most=MOST_SHARE),
        )
    place = Workspace(Path(workspace))
    stage = "shadow" if shadow else "canary" if canary is not None else None
    found = check(newest(check_id(release), place), place, stage=stage)
    if stage is None:
        return told(promote(found.id, place, who=user(), why=why, dry_run=dry_run, after=after))
    made = try_out(found.id, place, stage=stage, share=canary or 1.0, who=user(), why=why, dry_run=dry_run, after=after)
    return told(made)


def rollback(
    name: str,
    *,
    why: str = "",
    workspace: Path = DEFAULT_WORKSPACE,
    dry_run: bool = False,
    after: int | None = None,
) -> dict[str, Any]:
    """Take out what is being tried; where nothing is, go back to the release that was current before.

    Args:
        why, dry_run, after: as those of `deploy`.

    Returns:
        What was recorded, as `deploy`; `kind` is abort or rollback.

    Raises:
        ReleaseError: if there is no such model, or none to go back to, or somebody else was quicker.
        StorageError: if the record cannot be written.
    """
    from tuneloop.releases.promotion import rollback as go_back
    from tuneloop.releases.promotion import user

    return told(go_back(name, Workspace(Path(workspace)), who=user(), why=why, dry_run=dry_run, after=after))


def deployments(name: str | None = None, *, workspace: Path = DEFAULT_WORKSPACE) -> list[dict[str, Any]]:
    """What answers and what is being tried, of every model that was ever deployed or of one.

    Returns:
        For each `name`, `current`, `before`, `candidate`, `figures` of the candidate by server, `together`, which are
        its criteria by what several servers have counted, `change`, which is the number of the last change, and
        `history`.

    Raises:
        ReleaseError: if there is no such model.
        StorageError: if the record cannot be read.
    """
    from tuneloop.releases.deployment import deployed, history, kept_figures, names
    from tuneloop.releases.index import find
    from tuneloop.watch.canary import of_all

    place = Workspace(Path(workspace))
    found = []
    for each in names(place) if name is None else [check_id(name)]:
        state = deployed(each, place)
        if not state.releases:
            find(each, place)  # says that there is none
        figures = kept_figures(state.candidate.change, place) if state.candidate else {}
        counted = {server: figure["criteria"] for server, figure in figures.items() if not figure["shadow"]}
        together = of_all(counted) if len(counted) > 1 else None
        past = [told(change) for change in history(each, place)]
        about = {"figures": figures, "together": together, "change": state.change, "history": past}
        found.append({"name": each, **_held(state), **about})
    return found


def told(change: Change) -> dict[str, Any]:
    """A change as plain JSON."""
    return {
        "number": change.number, "name": change.name, "at": change.at, "who": change.who, "kind": change.kind,
        "release": change.release, "why": change.why, **_held(change.after), "details": dict(change.details),
    }  # fmt: skip


def _held(state: Deployment) -> dict[str, Any]:
    candidate = asdict(state.candidate) if state.candidate else None
    return {"current": state.current, "before": state.before, "candidate": candidate}
