"""The Python door: what the command line, the studio and the server share.

import tuneloop as tl
run = tl.tune("tuneloop.yaml")
release = tl.release(run)
release.predict(["the room was clean and quiet"])
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.api.answers import answering as answering
from tuneloop.api.correcting import correct as correct
from tuneloop.api.correcting import corrections as corrections
from tuneloop.api.correcting import newest_snapshot as newest_snapshot
from tuneloop.api.correcting import undo_correction as undo_correction
from tuneloop.api.deploying import deploy as deploy
from tuneloop.api.deploying import deployments as deployments
from tuneloop.api.deploying import rollback as rollback
from tuneloop.api.effects import counterfactual as counterfactual
from tuneloop.api.effects import effect as effect
from tuneloop.api.effects import evidence as evidence
from tuneloop.api.labelling import label_export as label_export
from tuneloop.api.labelling import label_import as label_import
from tuneloop.api.labelling import label_next as label_next
from tuneloop.api.labelling import label_status as label_status
from tuneloop.api.labelling_forecast import label_forecast as label_forecast
from tuneloop.api.origins import origin as origin
from tuneloop.api.releasing import DEFAULT_WORKSPACE as DEFAULT_WORKSPACE
from tuneloop.api.releasing import cascade as cascade
from tuneloop.api.releasing import diff as diff
from tuneloop.api.releasing import export as export
from tuneloop.api.releasing import find as find
from tuneloop.api.releasing import found as found
from tuneloop.api.releasing import load as load
from tuneloop.api.releasing import predict_file as predict_file
from tuneloop.api.releasing import reindex as reindex
from tuneloop.api.releasing import release as release
from tuneloop.api.releasing import releases as releases
from tuneloop.api.releasing import serve as serve
from tuneloop.api.releasing import workspace_of as workspace_of
from tuneloop.api.remote import pull as pull
from tuneloop.api.remote import push as push
from tuneloop.api.runs import compare_runs as compare_runs
from tuneloop.api.runs import runs as runs
from tuneloop.api.runs import stop_run as stop_run
from tuneloop.api.trust import audit as audit
from tuneloop.api.trust import explain as explain
from tuneloop.api.tuning import tune as tune
from tuneloop.api.updating import update as update
from tuneloop.api.updating import updates as updates
from tuneloop.api.watching import alerts as alerts
from tuneloop.api.watching import watch as watch
from tuneloop.api.watching import watched as watched
from tuneloop.api.weak import weak_label as weak_label
from tuneloop.api.weak import weak_table as weak_table
from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.core.fsio import write_text
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME
from tuneloop.core.project import Config, Project, open_project
from tuneloop.core.ray_cluster import check_on_ray

if TYPE_CHECKING:
    from tuneloop.data.check import CheckReport
    from tuneloop.data.guess import Guess
    from tuneloop.data.snapshot import Snapshot
    from tuneloop.releases.read import Release
    from tuneloop.training.plan import Plan
    from tuneloop.training.pretrain import Encoder
    from tuneloop.training.run import Run


def init(source: str, *, path: Path = Path(CONFIG_NAME), base: Path | None = None, force: bool = False) -> Guess:
    """Write a commented tuneloop.yaml for a data file; returns what was guessed, and why.

    Args:
        path: where it is written.
        base: the folder that `source` starts from; the current one by default.

    Raises:
        ConfigError: if `path` exists and `force` is not set.
        DataError: if the file cannot be read.
    """
    from tuneloop.data.guess import guess

    if path.exists() and not force:
        raise ConfigError(
            t("{path} exists already.", path=path), t("Choose another name with --output, or replace it with --force.")
        )
    found = guess(source, base=base or Path.cwd())
    write_config(parse_config(found.settings(source)), path)
    return found


def write_config(config: RunConfig, path: Path) -> None:
    """Write `config` with every setting and what it means."""
    from tuneloop.core.config_text import commented_yaml
    from tuneloop.methods import METHODS
    from tuneloop.tasks import task_class

    kinds = {"task": task_class(config.task), "method": METHODS.get(config.method.type)}
    write_text(path, commented_yaml(config, options={name: kind.Options for name, kind in kinds.items()}))


def list_methods(*, task: str = "") -> list[dict[str, Any]]:
    """What every method is, or every one that goes with a task; see `tuneloop.methods.catalogue`."""
    from tuneloop.methods.catalogue import catalogue

    return catalogue(task=task)


def snapshot(config: Config | Project = CONFIG_NAME, *, quiet: bool = False) -> Snapshot:
    """The cleaned, split and hashed data of a project; made once, then reused.

    Raises:
        DataError: if the data cannot be used; it names file, row and column.
    """
    from tuneloop.data.snapshot import build_snapshot
    from tuneloop.tasks import task_class

    project = _project(config)
    task = task_class(project.config.task)
    return build_snapshot(project.config, task=task, workspace=project.workspace, base=project.base, quiet=quiet)


def check(config: Config | Project = CONFIG_NAME, *, quiet: bool = False) -> CheckReport:
    """What is in the data and what is suspicious about it.

    Raises:
        DataError: if the data cannot be used at all.
    """
    from tuneloop.data.check import check as check_snapshot
    from tuneloop.data.check_kept import keep_check
    from tuneloop.models.chat import uncut_tokenizer
    from tuneloop.models.source import resolve
    from tuneloop.tasks import task_class

    project = _project(config)
    model = project.config.model
    task = task_class(project.config.task)
    data = snapshot(project, quiet=quiet)
    counter = uncut_tokenizer(resolve(model.source, base=project.base), writes=task.generates)
    report = check_snapshot(
        data,
        seed=project.config.seed,
        count_tokens=lambda inputs: counter.encode(inputs).lengths,
        max_tokens=model.max_tokens,
        free_answers=task.free_answers,
        quiet=quiet,
    )
    keep_check(report, project.workspace)
    return report


def plan(config: Config | Project = CONFIG_NAME, *, quiet: bool = False) -> Plan:
    """What tuning would cost: rows, tokens, steps, parameters, time and memory, from a few real steps."""
    from tuneloop.training.plan import plan as plan_run

    project = _project(config)
    return plan_run(project.config, snapshot=snapshot(project, quiet=quiet), base=project.base)


def pretrain(config: Config | Project = CONFIG_NAME, *, quiet: bool = False) -> Encoder:
    """An encoder that has learnt to guess hidden tokens of your texts, for `model.source`.

    The same call again goes on where an earlier one was stopped, and gives a finished encoder as it is.

    Raises:
        ConfigError: if the encoder's name is taken by one of other texts or settings.
        DataError: if the texts cannot be read.
    """
    from tuneloop.training.pretrain import pretrain as pretrain_encoder

    project = _project(config)
    settings = project.config.pretraining
    data = snapshot(project, quiet=quiet) if settings.texts is None or settings.keep_test_unseen else None
    return pretrain_encoder(project.config, snapshot=data, workspace=project.workspace, base=project.base, quiet=quiet)


def evaluate(
    target: Run | Release | str = "latest",
    *,
    against: str | None = None,
    data: Path | None = None,
    workspace: Path = DEFAULT_WORKSPACE,
    quiet: bool = False,
) -> dict[str, Any]:
    """Figures of a run or release with intervals, beside the baselines and an earlier release.

    Args:
        target: a run or release, or the name of one; "latest" is the newest run.
        against: a release to compare with, pair by pair; the newest release by default.
        data: a labelled file of its own; the untouched test split by default.
        workspace: where names are looked up.

    Returns:
        The content of evaluation.json; for a run's test split it is also written into its folder with report.html.
    """
    from tuneloop.releases import scorecard

    subject, place = found(target, workspace)
    return scorecard.evaluate(subject, workspace=place, against=against, data=data, quiet=quiet)


def compare(config: Config | Project = CONFIG_NAME, *, quiet: bool = False) -> dict[str, Any]:
    """Methods x seeds x label budgets, as the section `comparison` says: figures, costs and what to take.

    Runs that have a result are not run again; after an interruption the same call goes on.

    Returns:
        The content of comparison.json, with the path of the page as `report`.

    Raises:
        ConfigError: if a method does not exist or has no such option.
        TrainingError: if no method could be run.
    """
    from tuneloop.experiments.compare import compare as compare_methods

    project = _project(config)
    data = snapshot(project, quiet=quiet)
    return compare_methods(project.config, snapshot=data, workspace=project.workspace, base=project.base, quiet=quiet)


def search(
    config: Config | Project = CONFIG_NAME,
    *,
    on: str = "",
    workers: int | None = None,
    address: str = "",
    quiet: bool = False,
) -> dict[str, Any]:
    """Try settings as the section `search` says; the best run is kept. After an interruption the same call goes on.

    Args:
        on: "ray" has several trials at work at once on a Ray cluster; empty one after the other, here.
        workers: how many at once; one for each GPU of the cluster, or each CPU, by default.
        address: of the Ray cluster; see `core.ray_cluster.cluster`.

    Returns:
        The content of search.json, with the path of the page as `report`.

    Raises:
        ConfigError: if a setting of the space does not exist or a value is impossible.
        TrainingError: if no trial succeeded, or another process is at this search.
        MissingExtraError: if optuna is not installed.
    """
    from tuneloop.experiments.search import search as search_settings

    check_on_ray(on, workers, address)
    tries = None
    if on:
        from tuneloop.experiments.on_ray import try_on_ray

        tries = partial(try_on_ray, workers=workers, address=address)
    project = _project(config)
    data = snapshot(project, quiet=quiet)
    return search_settings(
        project.config, snapshot=data, workspace=project.workspace, base=project.base, quiet=quiet, tries=tries
    )


def bench(
    suite: str,
    data: str | Path,
    *,
    tasks: Sequence[str] = (),
    config: Config | Project | None = None,
    output: Path | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Train and measure the tasks of glue or clue on their official files, and write what their server takes.

    A finished task is not trained again; after an interruption the same call goes on.

    Args:
        data: the folder with one folder per task.
        tasks: some of the tasks; all by default.
        config: model, method and training; its sections data and task do not count.
        output: where it goes; bench/SUITE in the workspace by default.

    Returns:
        The content of results.json, with its path as `results`.
    """
    from tuneloop.suites.bench import bench as bench_suite

    project = _project({"data": {"source": suite}} if config is None else config)
    return bench_suite(suite, project, data=Path(data), tasks=tasks, output=output, quiet=quiet)


def _project(config: Config | Project) -> Project:
    return config if isinstance(config, Project) else open_project(config)
