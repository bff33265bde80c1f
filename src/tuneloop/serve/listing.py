"""What /v1/models tells: what answers, what could, and what is deployed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from tuneloop.releases.index import Row
from tuneloop.serve.following import Following
from tuneloop.serve.schemas import DeploymentOut, LoadedOut, ModelOut, ModelsResponse, ReleaseOut
from tuneloop.serve.slot import ServedModel


def listed(model: ServedModel | None, rows: Sequence[Row], following: Following | None) -> ModelsResponse:
    """What answers now, every release of the workspace, and what the server follows."""
    every = model.every if model else ()
    active = {each.release for each in every}
    releases = [ReleaseOut(id=r.id, created=r.created, engine=r.engine, loaded=r.id in active) for r in rows]
    return ModelsResponse(
        loaded=_describe(model) if model else None, beside=[_describe(each) for each in every[1:]], releases=releases,
        data=[ModelOut(id=r.id, created=_unix(r.created)) for r in releases if r.loaded],
        deployment=_deployment(following) if following is not None else None,
    )  # fmt: skip


def _deployment(following: Following) -> DeploymentOut:
    state = following.state
    tried = state.candidate
    return DeploymentOut(
        name=state.name, current=state.current, before=state.before, candidate=tried and tried.release,
        stage=tried and tried.stage, share=tried and tried.share, problem=following.problem(),
    )  # fmt: skip


def _describe(model: ServedModel) -> LoadedOut:
    task = model.handle.task
    return LoadedOut(
        id=model.release, engine=model.engine, task=task.name, labels=list(task.labels),
        batch_effect=model.batch_effect, warnings=model.warnings(),
    )  # fmt: skip


def _unix(created: str) -> int:
    """Seconds since 1970; 0 where a release does not say when it was made."""
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return 0
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
