"""One trial of a search: a training that ends early where it is behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneloop.core.config import RunConfig
from tuneloop.core.errors import ConfigError, ModelError, TrainingError
from tuneloop.core.fsio import remove_dir, storage_errors
from tuneloop.core.paths import Workspace
from tuneloop.data.snapshot_folder import Snapshot
from tuneloop.experiments.referee import Trial, with_settings
from tuneloop.training.interrupt import InterruptedTrainingError
from tuneloop.training.run import tune


class GivenUpError(Exception):
    """A trial is behind the others and ends here."""


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Args:
        run: the id of the finished run; empty if it was given up or failed.
        value: its best figure on dev.
        seconds: what its steps took.
        why: what was wrong with the settings; empty if nothing was.
    """

    run: str = ""
    value: float = 0.0
    seconds: float = 0.0
    why: str = ""


def run_trial(
    trial: Trial,
    config: RunConfig,
    snapshot: Snapshot,
    *,
    place: Path,
    workspace: Workspace,
    base: Path,
    behind: Callable[[int, float], bool],
) -> Outcome:
    """Train with the trial's settings, from the start or from where it was stopped.

    Args:
        place: the search's folder.
        workspace: where names in the settings are looked up.
        behind: told the number of each evaluation, from 1, and its figure; whether to give up.

    Raises:
        InterruptedTrainingError: after Ctrl-C; the trial can be gone on with.
    """
    work = Workspace(place / trial.work)
    if not trial.taken_up and work.runs.exists():
        remove_dir(work.runs)
    resume = "latest" if any(work.runs.glob("*/run.json")) else None

    def judged(number: int, figure: float) -> None:
        if behind(number, figure):
            raise GivenUpError

    try:
        settings = with_settings(config, trial.settings)
        run = tune(
            settings, snapshot=snapshot, workspace=work, names=workspace, base=base, resume=resume, quiet=True,
            judged=judged,
        )  # fmt: skip
    except GivenUpError:
        return Outcome()
    except InterruptedTrainingError:
        raise
    except (ConfigError, ModelError, TrainingError) as error:  # of these settings together
        return Outcome(why=error.problem)
    return Outcome(run.id, float(next(iter(run.info["best_dev"].values()))), run.info["steps_s"])


def settle(referee: Any, trial: Trial, outcome: Outcome, *, place: Path, workspace: Workspace) -> None:
    """Keep the run of a trial that has ended, if it is the best, and nothing else of it but its tokens.

    Args:
        referee: a `Referee`, or what stands for one.
        place: the search's folder.
        workspace: where the best run is kept.
    """
    work = Workspace(place / trial.work)
    if outcome.why:
        referee.failed(trial.number, outcome.why)
    elif not outcome.run:
        referee.given_up(trial.number)
    else:
        is_best = referee.is_best(outcome.value)
        if is_best:
            _keep(outcome.run, work, workspace)
        kept = outcome.run if is_best else ""
        gone = referee.finished(trial.number, outcome.value, seconds=outcome.seconds, run=kept)
        if gone and (old := workspace.runs / gone).exists():
            remove_dir(old)
    if work.runs.exists():
        remove_dir(work.runs)


def _keep(run: str, work: Workspace, workspace: Workspace) -> None:
    """Move the run among the workspace's runs."""
    with storage_errors(workspace.runs):
        workspace.runs.mkdir(parents=True, exist_ok=True)
        (work.runs / run).rename(workspace.runs / run)
