"""What may be deployed, and what one goes back to."""

from __future__ import annotations

import getpass
import json
from contextlib import suppress
from typing import Any

from tuneloop.core.errors import ReleaseError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace, check_id
from tuneloop.releases import index
from tuneloop.releases.deployment import (
    Candidate,
    Change,
    Deployment,
    Stage,
    Wanted,
    change,
    deployed,
    history,
    kept_figures,
)
from tuneloop.releases.index import model_of
from tuneloop.releases.manifest import verify
from tuneloop.releases.read import Release, open_release
from tuneloop.releases.remote import is_there


def user() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run as a number without a name
        return ""


def check(release_id: str, workspace: Workspace, *, stage: Stage | None = None) -> Release:
    """The release, if it may be deployed.

    Raises:
        ReleaseError: if there is none, a file is damaged, its audit does not pass its gate, it answers another task
            than the current one, or cannot be tried beside it.
    """
    release = open_release(release_id, workspace)
    _refuse_failed_audit(release, workspace)
    state = deployed(model_of(release_id), workspace)
    current = next((each for each in reversed(state.releases) if each != release_id), None)
    if current is not None:
        _refuse_another_task(release, current, workspace)
    if stage is not None and _task(release) == "generation":
        raise ReleaseError(
            t("{release} writes texts, and two writers cannot be compared request by request.", release=release_id),
            t("Deploy it without --shadow and --canary; tuneloop rollback takes it back at any time."),
        )
    return release


def promote(
    release_id: str,
    workspace: Workspace,
    *,
    who: str,
    why: str = "",
    dry_run: bool = False,
    after: int | None = None,
) -> Change:
    """Let a release answer against which `check` has nothing to say; whatever is being tried comes to its end.

    Args:
        dry_run: only tell what would be changed; for the other functions too.
        after: only if this is the number of the last change; for the other functions too.

    Raises:
        ReleaseError: if there was a later change than `after`; so do the other functions.
        StorageError: if the record cannot be written.
    """

    def decide(state: Deployment) -> Wanted:
        ended = state.candidate
        details: dict[str, Any] = {"before": state.current}
        if ended is not None:
            details |= {
                "candidate": ended.release,
                "stage": ended.stage,
                "figures": kept_figures(ended.change, workspace),
            }
        return Wanted("promote", release_id, _on_top(state, release_id), details=details)

    made = change(model_of(release_id), workspace, decide, who=who, why=why, dry_run=dry_run, after=after)
    assert made is not None
    return made


def try_out(
    release_id: str,
    workspace: Workspace,
    *,
    stage: Stage,
    share: float,
    who: str,
    why: str = "",
    dry_run: bool = False,
    after: int | None = None,
) -> Change:
    """Try a release beside the current one, in place of what is being tried now.

    Raises:
        ReleaseError: if it is the current one itself, or the only one.
        StorageError: if the record cannot be written.
    """

    def decide(state: Deployment) -> Wanted:
        before = _without(release_id, state)
        if not before:
            raise ReleaseError(
                t("{release} is the only release of {name}.", release=release_id, name=state.name),
                t("There is nothing to try it beside: serve it."),
            )
        if before[-1] == release_id:
            raise ReleaseError(
                t("{release} is the current release.", release=release_id), t("Try another one beside it.")
            )
        return Wanted(stage, release_id, before, stage, share, details={"before": before[-1]})

    made = change(model_of(release_id), workspace, decide, who=who, why=why, dry_run=dry_run, after=after)
    assert made is not None
    return made


def rollback(
    name: str,
    workspace: Workspace,
    *,
    who: str,
    why: str = "",
    dry_run: bool = False,
    after: int | None = None,
) -> Change:
    """Take out what is being tried; where nothing is, go back to the release that was current before.

    One that is gone or has files of another size is passed over; hashes are not computed, as this must not take long:
    servers check them when they open a release.

    Raises:
        ReleaseError: if there is no such model, or none to go back to.
        StorageError: if the record cannot be written.
    """
    if not deployed(check_id(name), workspace).releases:
        index.find(name, workspace)  # says that there is none, before a file is made
    made = change(
        name, workspace, lambda state: _back(state, workspace), who=who, why=why, dry_run=dry_run, after=after
    )
    assert made is not None
    return made


def abort(candidate: Candidate, workspace: Workspace, *, who: str, why: str, details: dict[str, Any]) -> Change | None:
    """Take a candidate out, unless something else has been done since it was put there; None then."""

    def decide(state: Deployment) -> Wanted | None:
        if state.candidate is None or state.candidate.change != candidate.change:
            return None
        return Wanted("abort", candidate.release, state.releases, details=details)

    return change(model_of(candidate.release), workspace, decide, who=who, why=why)


def note_failure(name: str, release: str, workspace: Workspace, *, who: str, why: str, last: int) -> Change | None:
    """Note that a server cannot open a release; None where it is noted already, or more was recorded than `last`."""

    def decide(state: Deployment) -> Wanted | None:
        if state.change != last or last == 0:
            return None
        before = history(name, workspace)[-1]
        if (before.kind, before.release, before.why) == ("failed", release, why):
            return None
        return Wanted("failed", release, state.releases, candidate=state.candidate)

    return change(name, workspace, decide, who=who, why=why)


def _back(state: Deployment, workspace: Workspace) -> Wanted:
    if state.candidate is not None:
        ended = state.candidate
        details: dict[str, Any] = {
            "stage": ended.stage,
            "share": ended.share,
            "figures": kept_figures(ended.change, workspace),
        }
        return Wanted("abort", ended.release, state.releases, details=details)
    passed_over: list[str] = []
    for place in range(len(state.releases) - 2, -1, -1):
        release = state.releases[place]
        if release != state.current and _looks_whole(release, workspace):
            told = {"before": state.current, "passed_over": passed_over}
            return Wanted("rollback", release, state.releases[: place + 1], details=told)
        passed_over.append(release)
    raise ReleaseError(
        t("There is no earlier release of {name} to go back to.", name=state.name),
        t("See what there was with: tuneloop deployments {name}", name=state.name),
    )


def _on_top(state: Deployment, release: str) -> tuple[str, ...]:
    """Those that have been current, with this one as the current one."""
    if state.current == release and state.change:
        return state.releases
    return (*_without(release, state), release)


def _without(release: str, state: Deployment) -> tuple[str, ...]:
    """Those that have been current; where nothing was ever deployed, the others: being there deployed nothing."""
    return state.releases if state.change else tuple(each for each in state.releases if each != release)


def _looks_whole(release: str, workspace: Workspace) -> bool:
    with suppress(ReleaseError):
        index.find(release, workspace)
        if not (workspace.releases / release).exists() and is_there(release, workspace):
            return True
        verify(workspace.releases / release, hashes=False)
        return True
    return False


def _refuse_another_task(release: Release, other_id: str, workspace: Workspace) -> None:
    try:
        other = open_release(other_id, workspace, verify=False)
    except (ReleaseError, OSError, ValueError):
        return  # what cannot be read any more cannot be compared with
    if _task(release) != _task(other):
        raise ReleaseError(
            t(
                "{release} answers the task {other}, and {current} answers {task}.",
                release=release.id, other=_task(release), current=other_id, task=_task(other),
            ),
            t("Clients expect answers of one kind: give a model for another task another name."),
        )  # fmt: skip


def _refuse_failed_audit(release: Release, workspace: Workspace) -> None:
    """A release that was made has passed its gate; an audit that was made later may say otherwise."""
    if not (workspace.audits / release.id).is_dir():
        return
    from tuneloop.audits.gate import failed
    from tuneloop.releases.auditing import AUDIT

    path = workspace.audits / release.id / AUDIT
    if not path.is_file():
        return
    broken = failed(json.loads(path.read_text(encoding="utf-8")))
    if broken:
        raise ReleaseError(
            t("The release {name} does not pass its gate: {rules}", name=release.id, rules=" ".join(broken)),
            t("Look at {path}, or audit it by other rules with: tuneloop audit {name}", path=path, name=release.id),
        )


def _task(release: Release) -> str:
    return str(release.info["config"]["task"]["type"])
