"""The part of the Python door that trains, here or with several processes."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from tuneloop.core.config import RunConfig
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME
from tuneloop.core.project import Config, Project, open_project

if TYPE_CHECKING:
    from tuneloop.training.run import Run

RESTARTS = 3
"""How often the processes of a training are started again after one has died."""


def tune(
    config: Config | Project = CONFIG_NAME,
    *,
    resume: str | None = None,
    on: str = "",
    workers: int | None = None,
    restarts: int = RESTARTS,
    quiet: bool = False,
) -> Run:
    """Train; the run's folder holds the model that was best on dev.

    A process that torchrun has started (RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT are set) trains with the others.

    Args:
        config: a tuneloop.yaml, settings, or a `RunConfig`.
        resume: the id of an unfinished run of the same configuration and data, or "latest".
        on: "torchrun" trains with several processes of this machine; empty with this one.
        workers: how many processes; one for each GPU by default.
        restarts: how often they are started again after one has died.
        quiet: show no progress.

    Raises:
        ConfigError: if the configuration names audits, options or figures that there are not, or the loss needs all
            rows of a step in one process.
        TrainingError: if the run to resume has another configuration or other data, or processes died too often.
    """
    from tuneloop import api
    from tuneloop.training.distributed.ranks import join
    from tuneloop.training.run import tune as tune_run

    project = config if isinstance(config, Project) else open_project(config)
    _check_audits(project.config)
    if on:
        return _tune_on(project, on=on, resume=resume, workers=workers, restarts=restarts, quiet=quiet)
    ranks = join()
    quiet = quiet or not ranks.first
    with ranks.in_turn():
        data = api.snapshot(project, quiet=quiet)
    return tune_run(
        project.config, snapshot=data, workspace=project.workspace, base=project.base, resume=resume, ranks=ranks,
        quiet=quiet,
    )  # fmt: skip


def _tune_on(project: Project, *, on: str, resume: str | None, workers: int | None, restarts: int, quiet: bool) -> Run:
    from tuneloop import api
    from tuneloop.training.distributed.checks import check_parts
    from tuneloop.training.distributed.torchrun import run_by_torchrun
    from tuneloop.training.distributed.worker import new_launch
    from tuneloop.training.run import open_run

    if on != "torchrun":
        raise ConfigError(t("There is no {on} to tune on.", on=on), t("Known: {known}.", known="torchrun"))
    check_parts(project.config)
    count = workers_of(workers)
    data = api.snapshot(project, quiet=quiet)
    launch = new_launch(
        project.config, name=f"tuneloop-{uuid.uuid4().hex[:12]}", snapshot=data.hash, workspace=project.workspace,
        base=project.base, resume=resume, restarts=restarts,
        options=f"--on {on} --workers {count}", quiet=quiet,
    )  # fmt: skip
    return open_run(run_by_torchrun(launch, workers=count), project.workspace)


def workers_of(given: int | None) -> int:
    """How many processes there shall be.

    Raises:
        ConfigError: if it is said by nobody, or makes no sense.
    """
    import torch

    count = torch.cuda.device_count() if given is None else given
    if count < 1:
        raise ConfigError(
            t("It is not said how many processes shall work, and there is no GPU to count."), t("Give --workers 2.")
        ) if given is None else ConfigError(
            t("--workers is {given}, but there must be one at least.", given=given), t("Give --workers 2.")
        )  # fmt: skip
    return count


def _check_audits(config: RunConfig) -> None:
    """Refuse a section `audit` that could not be run, before hours of training; an empty one loads nothing."""
    if config.audit.model_fields_set:
        from tuneloop.audits.run import create_audits

        create_audits(config.audit)
