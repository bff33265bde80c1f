"""Hyper-parameter search: trials that look hopeless are given up, the best one becomes an ordinary run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tuneloop.core.config import RunConfig
from tuneloop.core.errors import ConfigError, TrainingError
from tuneloop.core.fsio import storage_errors, write_json, write_text
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.core.lock import locked
from tuneloop.core.paths import Workspace
from tuneloop.core.progress import progress
from tuneloop.data.snapshot_folder import Snapshot
from tuneloop.experiments.jobs import check_from_anew
from tuneloop.experiments.reads import Known, hash_of_read
from tuneloop.experiments.referee import Referee, check_space, with_settings
from tuneloop.experiments.trial import run_trial, settle
from tuneloop.methods import create_method
from tuneloop.methods.base import GradientMethod
from tuneloop.tasks import create_task


def search(
    config: RunConfig,
    *,
    snapshot: Snapshot,
    workspace: Workspace,
    base: Path,
    quiet: bool = False,
    tries: Callable[..., dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Try settings until `search.trials` are done; the best run is kept, in the workspace, as any other.

    Settings are proposed by the tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter
    Optimization", 2011) and trials are given up by asynchronous successive halving (Li et al., "A System for Massively
    Parallel Hyperparameter Tuning", 2020), on the figure that each evaluation on dev gives.

    Args:
        tries: where trials are at work; `try_here` by default.

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
    check_space(config)
    place = workspace.root / "searches" / f"{config.name}-{_identity(config, snapshot, workspace, base)}"
    with storage_errors(place):
        place.mkdir(parents=True, exist_ok=True)
    busy = TrainingError(
        t("The search {name} is at work in another process.", name=place.name),
        t("Wait until that one ends, or stop it, then run the same command."),
    )
    with locked(place, busy=busy):
        task = create_task(config.task, {"labels": list(snapshot.labels)})
        found = (tries or try_here)(
            config, snapshot, place=place, workspace=workspace, base=base, quiet=quiet, metric=method.selects_by(task)
        )
    write_json(place / "search.json", found)
    write_text(place / "report.html", search_html(found))
    return found | {"report": str(place / "report.html")}


def try_here(
    config: RunConfig, snapshot: Snapshot, *, place: Path, workspace: Workspace, base: Path, quiet: bool, metric: str
) -> dict[str, Any]:
    """Trials one after the other, in this process; what search.json holds."""
    referee, trials = Referee(config, place), config.search.trials
    with progress(t("searching"), trials, done=referee.ended(), quiet=quiet) as bar:
        while (ended := referee.ended()) < trials:
            bar.update(ended, referee.note())
            trial = referee.next()
            behind = partial(referee.behind, trial.number)
            outcome = run_trial(trial, config, snapshot, place=place, workspace=workspace, base=base, behind=behind)
            settle(referee, trial, outcome, place=place, workspace=workspace)
        bar.update(ended, referee.note())
    return referee.summary(config, metric)


def _identity(config: RunConfig, snapshot: Snapshot, workspace: Workspace, base: Path) -> str:
    """Names the search: all that the trials have in common. More trials go on with the same search."""
    space = {name: axis.model_dump(mode="json") for name, axis in config.search.space.items()}
    words = [
        (name, each) for name, axis in config.search.space.items() for each in axis.choices if isinstance(each, str)
    ]
    named = [config, *(with_settings(config, {name: each}) for name, each in words)]
    known: Known = {}
    reads = [hash_of_read(each, base=base, workspace=workspace, known=known) for each in named]
    return hash_json([config.fingerprint(), snapshot.hash, reads, space, config.search.reduction])[:8]
