"""The part of the Python door that makes a release better with new rows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.api import deploying, releasing
from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.project import Config, open_project, project_of

if TYPE_CHECKING:
    from tuneloop.core.updating import Step
    from tuneloop.releases.read import Release


def update(
    release: Release | str,
    *,
    data: str | Path | Sequence[str | Path] = (),
    feedback: bool = False,
    steps: Sequence[Step] = (),
    config: Config | None = None,
    store: str | None = None,
    workspace: Path = releasing.DEFAULT_WORKSPACE,
    dry_run: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Try with new rows, from the cheapest step on, what is better than a release; release it if it is for certain.

    After an interruption the same call goes on; no candidate is trained twice.

    Args:
        release: a release, or the name of one; a model's name means the one that is deployed, else its newest.
        data: labelled files with the columns of the release's data.
        feedback: take what people said of answers too, where events kept the texts.
        steps: what to try, of recalibrate, head, adapter, full; as the section `update` says by default.
        config: whose sections `update`, `continual` and `deploy` hold, and whose `watch.store` has the feedback; those
            of the release and the store that `events` reads by default.
        store: of events; see `events`.
        workspace: where names are looked up.
        dry_run: only collect the rows, and say what would be tried and judged.

    Returns:
        The content of decision.json, with the path of the page as `report`; `verdict` is promote, hold or ask,
        `release` the id of the new release or None, and `deployed` what `deploy` returned, where `update.deploy` asks
        for it. Of a dry run what there is to do.

    Raises:
        DataError: if there are no new rows, one cannot be used, or the release's data is no longer in the workspace.
        ConfigError: if a step does not exist, or the release is of a kind that cannot be gone on from.
        ReleaseError: if there is no such release.
    """
    from tuneloop.api.events import stored_feedback
    from tuneloop.core.config import parse_options
    from tuneloop.core.updating import UpdateConfig
    from tuneloop.loop.update import outlook, prepare, run_update
    from tuneloop.releases.deployment import deployed

    place = releasing.workspace_of(release, workspace)
    if isinstance(release, str):
        release = releasing.load(deployed(release, place).current or release, workspace=place.root)
    current = release
    settings = parse_config(current.info["config"])
    if config is not None:
        given = open_project(config).config
        taken = {"update": given.update, "continual": given.continual, "deploy": given.deploy}
        settings = settings.model_copy(update=taken)
        store = given.watch.store if store is None else store
    _refuse_canary(settings)
    if steps:
        plain = settings.update.model_dump() | {"steps": list(steps)}
        settings = settings.model_copy(update={"update": parse_options(UpdateConfig, plain, where="update")})
    files = [data] if isinstance(data, str | Path) else list(data)
    with stored_feedback(place, store, name=settings.name) if feedback else nullcontext() as said:
        found = prepare(
            current,
            config=settings,
            files=[Path(each) for each in files],
            said=said,
            workspace=place,
            base=project_of(settings, place.root).base,
            quiet=quiet,
        )
    if dry_run:
        return outlook(found)
    decision = run_update(
        found, lambda run, audited: releasing.release_of(run, place, audited=audited, quiet=quiet), quiet=quiet
    )
    return decision | {"deployed": _deploy(decision["release"], settings, place.root)}


def updates(name: str | None = None, *, workspace: Path = releasing.DEFAULT_WORKSPACE) -> list[dict[str, Any]]:
    """What earlier updates have decided, the newest first.

    Args:
        name: of one model alone.

    Returns:
        For each the content of decision.json, with the name of its folder as `id`.
    """
    from tuneloop.core.paths import Workspace
    from tuneloop.loop.decisions import decisions

    return decisions(Workspace(Path(workspace)), name)


def _refuse_canary(settings: RunConfig) -> None:
    """Before hours of training."""
    from tuneloop.tasks import task_class

    if settings.update.deploy == "canary" and task_class(settings.task).generates:
        raise ConfigError(
            t("update.deploy: canary is not for models that write: two of them cannot be compared request by request."),
            t("Set update.deploy: none or promote."),
        )


def _deploy(release: str | None, settings: RunConfig, workspace: Path) -> dict[str, Any] | None:
    if release is None or settings.update.deploy == "none":
        return None
    share = settings.deploy.share if settings.update.deploy == "canary" else None
    return deploying.deploy(release, canary=share, why="tuneloop update", workspace=workspace)
