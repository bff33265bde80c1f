"""The rows of a file answered by several processes of a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.progress import progress
from tuneloop.core.ray_cluster import RETRIES, answer, check_machines, cluster, count_workers

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.inference.predictor import Predictor
    from tuneloop.releases.read import Release
    from tuneloop.tasks.base import Prediction

FEWEST_ROWS, MOST_ROWS = 64, 4096
"""Rows of a share; each process gets several, so that none has to wait long for the last one."""

SHARES = 4
"""For each process, where there are enough rows."""


class Answering:
    """One process with the release open.

    Args:
        name: of the release.
        workspace: where it lies.
    """

    def __init__(self, name: str, workspace: str, engine: str | None) -> None:
        from tuneloop.releases.read import open_release

        self._predictor = open_release(name, Workspace(Path(workspace))).predictor(engine)

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """One prediction per input, in order."""
        found: list[Prediction] = self._predictor.predict(inputs)
        return found


def answers_on_ray(
    _: Predictor,
    inputs: Sequence[Input],
    *,
    quiet: bool,
    release: Release,
    engine: str | None,
    workers: int | None,
    address: str,
) -> Iterator[Prediction]:
    """The answers to all inputs, in their order. A share whose process died is answered by one in its place.

    Raises:
        ClusterError: if the cluster cannot be reached, or a machine does not see the workspace.
    """
    workspace = release.path.resolve().parents[1]
    with cluster(address) as ray:
        check_machines(ray, workspace / "cache")
        count, gpus = count_workers(ray, workers)
        rows = min(MOST_ROWS, max(FEWEST_ROWS, -(-len(inputs) // (SHARES * count))))
        shares = [inputs[start : start + rows] for start in range(0, len(inputs), rows)]
        kind = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=RETRIES, max_task_retries=RETRIES)(Answering)
        actors = [kind.remote(release.id, str(workspace), engine) for _ in range(min(count, len(shares)))]
        with progress(t("predicting"), len(inputs), quiet=quiet) as bar:
            done = 0
            for predictions in _in_order(ray, actors, shares):
                yield from predictions
                done += len(predictions)
                bar.update(done)


def _in_order(ray: Any, actors: list[Any], shares: list[Sequence[Input]]) -> Iterator[list[Prediction]]:
    """What became of each share, in their order; whoever is free takes the next one."""
    waiting, at_work, found = iter(enumerate(shares)), {}, {}

    def give(actor: Any) -> None:
        if (share := next(waiting, None)) is not None:
            at_work[actor.predict.remote(share[1])] = (share[0], actor)

    for actor in actors:
        give(actor)
    for number in range(len(shares)):
        while number not in found:
            (first, *_), _ = ray.wait(list(at_work))
            place, actor = at_work.pop(first)
            found[place] = answer(ray, first)
            give(actor)
        yield found.pop(number)
