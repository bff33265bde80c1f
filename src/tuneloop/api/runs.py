"""The part of the Python door that lists runs, stops one, and compares several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.api.releasing import DEFAULT_WORKSPACE
from tuneloop.core.paths import Workspace

if TYPE_CHECKING:
    from tuneloop.training.runs import RunRow


def runs(*, workspace: Path = DEFAULT_WORKSPACE) -> list[RunRow]:
    """Every run with its method, seed, data, state and best dev figure, the newest first."""
    from tuneloop.training.runs import run_rows

    return run_rows(Workspace(Path(workspace)))


def stop_run(name: str, *, workspace: Path = DEFAULT_WORKSPACE) -> int:
    """Ask the process that trains a run to stop where it can go on, as Ctrl-C does; returns its number.

    Raises:
        TrainingError: if there is no such run, or no process of the tuneloop command is at it.
    """
    from tuneloop.training.run import open_run
    from tuneloop.training.runs import stop

    return stop(open_run(name, Workspace(Path(workspace))))


def compare_runs(names: Sequence[str], *, workspace: Path = DEFAULT_WORKSPACE) -> dict[str, Any]:
    """What differs between runs in settings, data and figures, and which of them is really better.

    Where they were evaluated on the same rows, each is tested against the best; see `releases.compare.compare_many`.

    Raises:
        TrainingError: if there is no such run.
    """
    from tuneloop.releases.compare import compare_many
    from tuneloop.training.run import open_run

    place = Workspace(Path(workspace))
    return compare_many([open_run(name, place) for name in names])
