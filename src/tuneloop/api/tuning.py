"""The part of the Python door that trains, here or with several processes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from tuneloop.core.config import RunConfig
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME
from tuneloop.core.project import Config, Project, open_project

if TYPE_CHECKING:
    from tuneloop.training.distributed.worker import Launch
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
    address: str = "",
    quiet: bool = False,
) -> Run:
    """Train; the run's folder holds the model that was best on dev.

    A process that torchrun has started (RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT are set) trains with the others.

    Args:
        config: a tuneloop.yaml, settings, or a `RunConfig`.
        resume: the id of an unfinished run of the same configuration and data, or "latest".
        on: "torchrun" trains with several processes of this machine, "ray" with those of a Ray cluster; empty with this
            one.
        workers: how many processes; one for each GPU by default.
        restarts: how often they are started again after one has died.
        address: of the Ray cluster; see `core.ray_cluster.cluster`.
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
        start = STARTERS.get(on)
        if start is None:
            raise ConfigError(t("There is no {on} to tune on.", on=on), t("Known: {known}.", known=", ".join(STARTERS)))
        return start(project, resume=resume, workers=workers, restarts=restarts, address=address, quiet=quiet)
    ranks = join()
    quiet = quiet or not ranks.first
    with ranks.in_turn():
        data = api.snapshot(project, quiet=quiet)
    return tune_run(
        project.config, snapshot=data, workspace=project.workspace, base=project.base, resume=resume, ranks=ranks,
        quiet=quiet,
    )  # fmt: skip


def _on_torchrun(
    project: Project, *, resume: str | None, workers: int | None, restarts: int, address: str, quiet: bool
) -> Run:
    from tuneloop.training.distributed.torchrun import run_by_torchrun
    from tuneloop.training.run import open_run

    if address:
        raise ConfigError(
            t("--address is that of a Ray cluster; torchrun starts processes on this machine alone."),
            t("Leave --address out, or run torchrun itself on each machine: docs/distributed.md says how."),
        )
    count = workers_of(workers)
    launch = _launch(project, resume, restarts, f"--on torchrun --workers {count}", quiet=quiet)
    return open_run(run_by_torchrun(launch, workers=count), project.workspace)


def _on_ray(
    project: Project, *, resume: str | None, workers: int | None, restarts: int, address: str, quiet: bool
) -> Run:
    from tuneloop.training.distributed.on_ray import run_on_ray
    from tuneloop.training.run import open_run

    given = {"--workers": workers, "--address": address}
    options = " ".join(["--on ray", *(f"{name} {value}" for name, value in given.items() if value)])
    launch = _launch(project, resume, restarts, options, quiet=quiet)
    return open_run(run_on_ray(launch, workers=workers, address=address), project.workspace)


STARTERS: dict[str, Callable[..., Run]] = {"torchrun": _on_torchrun, "ray": _on_ray}
"""What several processes can be started on."""


def _launch(project: Project, resume: str | None, restarts: int, options: str, *, quiet: bool) -> Launch:
    """What the processes will read, once it is known that the work can be shared out."""
    from tuneloop import api
    from tuneloop.training.distributed.checks import check_parts
    from tuneloop.training.distributed.worker import new_launch
    from tuneloop.training.run import open_run

    check_parts(project.config)
    resume = resume and open_run(resume, project.workspace).id  # what is the latest may change until a restart
    data = api.snapshot(project, quiet=quiet)
    return new_launch(
        project.config, name=f"tuneloop-{uuid.uuid4().hex[:12]}", snapshot=data.hash, workspace=project.workspace,
        base=project.base, resume=resume, restarts=restarts, options=options, quiet=quiet,
    )  # fmt: skip


def workers_of(given: int | None) -> int:
    """How many processes there shall be.

    Raises:
        ConfigError: if it is said by nobody, or makes no sense.
    """
    import torch

    if given is not None and given < 1:
        raise ConfigError(
            t("--workers is {given}, but there must be one at least.", given=given), t("Give --workers 2.")
        )
    if count := given or torch.cuda.device_count():
        return count
    raise ConfigError(
        t("It is not said how many processes shall work, and there is no GPU to count."), t("Give --workers 2.")
    )


def _check_audits(config: RunConfig) -> None:
    """Refuse a section `audit` that could not be run, before hours of training; an empty one loads nothing."""
    if config.audit.model_fields_set:
        from tuneloop.audits.run import create_audits

        create_audits(config.audit)
