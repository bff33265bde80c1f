"""Hyper-parameter search: trials that look hopeless are given up, the best one becomes an ordinary run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.config import RunConfig, parse_config, put_setting
from tuneloop.core.errors import ConfigError, ModelError, TrainingError
from tuneloop.core.experiments import Axis
from tuneloop.core.fsio import remove_dir, storage_errors, write_json, write_text
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.core.lock import locked
from tuneloop.core.paths import Workspace
from tuneloop.core.progress import progress
from tuneloop.data.snapshot_folder import Snapshot
from tuneloop.experiments.jobs import check_from_anew
from tuneloop.experiments.study import (
    FAILED,
    RUN,
    SECONDS,
    TAKEN_UP,
    best,
    distribution,
    done,
    note,
    open_study,
    summary,
    take_up,
)
from tuneloop.methods import create_method
from tuneloop.methods.base import GradientMethod
from tuneloop.tasks import create_task
from tuneloop.training.interrupt import InterruptedTrainingError
from tuneloop.training.run import Run, tune

if TYPE_CHECKING:
    import optuna


class GivenUpError(Exception):
    """A trial is behind the others and ends here."""


def search(
    config: RunConfig, *, snapshot: Snapshot, workspace: Workspace, base: Path, quiet: bool = False
) -> dict[str, Any]:
    """Try settings until `search.trials` are done; the best run is kept, in the workspace, as any other.

    Settings are proposed by the tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter
    Optimization", 2011) and trials are given up by asynchronous successive halving (Li et al., "A System for Massively
    Parallel Hyperparameter Tuning", 2020), on the figure that each evaluation on dev gives.

    Returns:
        What search.json holds, with the path of the page as `report`.

    Raises:
        ConfigError: if a setting of the space does not exist or a value is impossible.
        TrainingError: if no trial succeeded, or another process is at this search.
        InterruptedTrainingError: after Ctrl-C; the same call goes on with the trial that was stopped.
    """
    from tuneloop.experiments.search_page import search_html

    method = create_method(config.method)
    if not isinstance(method, GradientMethod):
        raise ConfigError(
            t("method {name} is not trained in steps; there is nothing to search.", name=method.name),
            t("Choose another method, such as full or lora."),
        )
    check_from_anew(config)
    _check_space(config)
    place = workspace.root / "searches" / f"{config.name}-{_identity(config, snapshot)}"
    with storage_errors(place):
        place.mkdir(parents=True, exist_ok=True)
    busy = TrainingError(
        t("The search {name} is at work in another process.", name=place.name),
        t("Wait until that one ends, or stop it, then run the same command."),
    )
    with locked(place, busy=busy):
        study = open_study(config, place)
        take_up(study)
        axes = {
            name: distribution(axis, whole=_is_whole(config, name, axis)) for name, axis in config.search.space.items()
        }
        with progress(t("searching"), config.search.trials, done=len(done(study)), quiet=quiet) as bar:
            while (ended := len(done(study))) < config.search.trials:
                bar.update(ended, note(study))
                _try(study, axes, config, snapshot, work=Workspace(place / "work"), workspace=workspace, base=base)
            bar.update(ended, note(study))
        task = create_task(config.task, {"labels": list(snapshot.labels)})
        found = summary(study, config, metric=create_method(config.method).selects_by(task))
    write_json(place / "search.json", found)
    write_text(place / "report.html", search_html(found))
    return found | {"report": str(place / "report.html")}


def with_settings(config: RunConfig, settings: Mapping[str, Any]) -> RunConfig:
    """The configuration with `{"training.epochs": 1}`-like settings in place.

    Raises:
        ConfigError: if there is no such setting, or the value is impossible.
    """
    plain = config.model_dump(mode="json")
    for dotted, value in settings.items():
        put_setting(plain, dotted, value)
    changed = parse_config(plain, where="search.space")
    create_method(changed.method)
    return changed


def _try(
    study: optuna.Study,
    axes: dict[str, optuna.distributions.BaseDistribution],
    config: RunConfig,
    snapshot: Snapshot,
    *,
    work: Workspace,
    workspace: Workspace,
    base: Path,
) -> None:
    """One trial, from its start or from where it was stopped.

    Args:
        axes: what is drawn for each setting.
        work: where it trains; nothing of it stays but tokens.
        workspace: where the best run is kept.
    """
    from optuna.trial import TrialState

    trial = study.ask(axes)
    if not trial.user_attrs.get(TAKEN_UP):
        _clear(work)
    resume = "latest" if any(work.runs.glob("*/run.json")) else None

    def judged(number: int, figure: float) -> None:
        trial.report(figure, number)
        if trial.should_prune():
            raise GivenUpError

    try:
        settings = with_settings(config, {name: _whole(value) for name, value in trial.params.items()})
        run = tune(settings, snapshot=snapshot, workspace=work, base=base, resume=resume, quiet=True, judged=judged)
    except GivenUpError:
        study.tell(trial, state=TrialState.PRUNED)
    except InterruptedTrainingError:
        raise
    except (ConfigError, ModelError, TrainingError) as error:  # of these settings together
        trial.set_user_attr(FAILED, error.problem)
        study.tell(trial, state=TrialState.FAIL)
    else:
        value = float(next(iter(run.info["best_dev"].values())))
        trial.set_user_attr(SECONDS, run.info["steps_s"])
        before = best(study)
        if before is None or before.values[0] < value:
            _keep(trial, run, workspace)
            study.tell(trial, value)
            _let_go(before, workspace)
        else:
            study.tell(trial, value)
    _clear(work)


def _clear(work: Workspace) -> None:
    if work.runs.exists():
        remove_dir(work.runs)


def _keep(trial: optuna.Trial, run: Run, workspace: Workspace) -> None:
    """Move the run among the workspace's runs."""
    trial.set_user_attr(RUN, run.id)
    with storage_errors(workspace.runs):
        workspace.runs.mkdir(parents=True, exist_ok=True)
        run.path.rename(workspace.runs / run.id)


def _let_go(before: optuna.trial.FrozenTrial | None, workspace: Workspace) -> None:
    """Remove the run that was the best until now."""
    if before is not None and (old := workspace.runs / before.user_attrs[RUN]).exists():
        remove_dir(old)


def _check_space(config: RunConfig) -> None:
    """Every end of every axis must be a possible value."""
    for name, axis in config.search.space.items():
        for value in axis.choices or (axis.low, axis.high):
            with_settings(config, {name: _whole(value)})


def _is_whole(config: RunConfig, name: str, axis: Axis) -> bool:
    """Whether the setting takes whole numbers alone: not guessed from its name, but tried."""
    if axis.choices or axis.low is None or not float(axis.low).is_integer():
        return False
    try:
        with_settings(config, {name: axis.low + 0.5})
    except ConfigError:
        return True
    return False


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _identity(config: RunConfig, snapshot: Snapshot) -> str:
    """Names the search: all that the trials have in common. More trials go on with the same search."""
    space = {name: axis.model_dump(mode="json") for name, axis in config.search.space.items()}
    return hash_json([config.fingerprint(), snapshot.hash, space, config.search.reduction])[:8]
