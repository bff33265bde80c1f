"""The trials of a search side by side on a Ray cluster."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.fsio import remove_dir
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.progress import Bar, progress
from tuneloop.core.ray_cluster import RETRIES, answer, check_machines, cluster, count_workers
from tuneloop.data.snapshot_folder import Snapshot, find_snapshot
from tuneloop.experiments.referee import Referee, Trial
from tuneloop.experiments.trial import Outcome, run_trial, settle
from tuneloop.training.interrupt import InterruptedTrainingError


def try_on_ray(
    config: RunConfig,
    snapshot: Snapshot,
    *,
    place: Path,
    workspace: Workspace,
    base: Path,
    quiet: bool,
    metric: str,
    workers: int | None,
    address: str,
) -> dict[str, Any]:
    """As many trials at once as there are workers; what search.json holds.

    A trial whose process died goes on with its run, in another one. After Ctrl-C the same command goes on with all that
    were at work, from their newest checkpoints.

    Raises:
        ClusterError: if the cluster cannot be reached, or a machine does not see the workspace.
        InterruptedTrainingError: after Ctrl-C.
    """
    trials = config.search.trials
    with cluster(address) as ray:
        check_machines(ray, workspace.cache)
        count, gpus = count_workers(ray, workers)
        referee = _Remote(ray, _referee(ray, config, place))
        given = {
            "config": config.model_dump(mode="json"),
            "snapshot": snapshot.hash,
            "workspace": str(workspace.root.resolve()),
            "place": str(place.resolve()),
            "base": str(base.resolve()),
        }
        start = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)(_try).remote
        with progress(t("searching"), trials, done=referee.ended(), quiet=quiet) as bar:
            try:
                _until_done(ray, referee, trials, count, partial(start, given, referee.actor), bar, place, workspace)
            except KeyboardInterrupt:
                raise InterruptedTrainingError(
                    t("The search was stopped; trials that have ended are kept."), t("Go on with the same command.")
                ) from None
        found: dict[str, Any] = referee.summary(config, metric)
    return found


class _Remote:
    """A `Referee` in another process, asked as if it were here."""

    def __init__(self, ray: Any, actor: Any) -> None:
        self.ray, self.actor = ray, actor

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.actor, name)
        return lambda *values, **named: answer(self.ray, method.remote(*values, **named))


def _referee(ray: Any, config: RunConfig, place: Path) -> Any:
    """The one process that has the study open, on this machine."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    kind = ray.remote(num_cpus=0, scheduling_strategy=here)(Referee)
    return kind.remote(config, place.resolve(), apart=True)


def _until_done(
    ray: Any, referee: Any, trials: int, count: int, start: Any, bar: Bar, place: Path, workspace: Workspace
) -> None:
    at_work: dict[Any, Trial] = {}
    while (ended := referee.ended()) < trials:
        bar.update(ended, referee.note())
        while len(at_work) < min(count, trials - ended):
            trial = referee.next()
            at_work[start(trial)] = trial
        (first, *_), _ = ray.wait(list(at_work))
        trial = at_work.pop(first)
        settle(referee, trial, answer(ray, first), place=place, workspace=workspace)
        if (place / trial.work).exists():
            remove_dir(place / trial.work)
    bar.update(ended, referee.note())


def _try(given: dict[str, Any], referee: Any, trial: Trial) -> Outcome:
    """A trial, in a process of the cluster; a second process that is at it goes on with the run of the first."""
    import ray

    workspace = Workspace(Path(given["workspace"]))
    return run_trial(
        replace(trial, taken_up=True),
        parse_config(given["config"]),
        find_snapshot(given["snapshot"], workspace),
        place=Path(given["place"]),
        workspace=workspace,
        base=Path(given["base"]),
        behind=lambda number, figure: bool(ray.get(referee.behind.remote(trial.number, number, figure))),
    )
