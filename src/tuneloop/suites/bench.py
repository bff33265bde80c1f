"""A whole suite: task after task, one table, one submission."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneloop.core.errors import ConfigError, DataError, TuneloopError
from tuneloop.core.fsio import storage_errors, write_bytes, write_json
from tuneloop.core.i18n import t
from tuneloop.core.lock import locked
from tuneloop.core.progress import note
from tuneloop.core.project import Project
from tuneloop.suites import SUITES
from tuneloop.suites.base import Benchmark, Suite
from tuneloop.suites.one import ANSWERS, given_settings, run_benchmark, unanswered
from tuneloop.suites.submission import packed
from tuneloop.training.interrupt import InterruptedTrainingError

RESULTS = "results.json"


@dataclass
class _Progress:
    """What is known so far."""

    finished: list[dict[str, Any]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)


def bench(
    name: str,
    project: Project,
    *,
    data: Path,
    tasks: Sequence[str] = (),
    output: Path | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Train, measure and answer the tasks of a suite.

    Every task is trained on its official train split without a twentieth, by which the best weights are chosen, and
    measured on its official dev split, by which nothing is chosen. A finished task is not trained again. A task whose
    files are absent or damaged is named in `missing`; the others go on.

    Args:
        name: of the suite.
        project: model, method, training, evaluation and seed; the data and the tasks are those of the suite.
        data: the folder with one folder per task.
        tasks: names of tasks; all by default.
        output: the folder for results.json, the submission and a folder for each task; in the workspace by default.

    Returns:
        What results.json holds, with its path as `results`.

    Raises:
        ConfigError: if there is no such suite or task, or a setting is wrong.
        DataError: if no task could be run.
        InterruptedTrainingError: after Ctrl-C; the same call goes on.
    """
    suite: Suite = SUITES.get(name)
    chosen = _chosen(suite, tasks)
    if not data.is_dir():
        raise DataError(t("There is no folder {data}.", data=data), t("Give the folder with the official files."))
    output = output or project.workspace.root / "bench" / suite.name
    busy = ConfigError(
        t("Another process is at the benchmark in {output}.", output=output),
        t("Wait for it, or name another --output."),
    )
    so_far = _Progress()
    with storage_errors(output):
        output.mkdir(parents=True, exist_ok=True)
    with locked(output, busy=busy):
        for number, benchmark in enumerate(chosen, 1):
            if not quiet:
                count = len(chosen)
                note(t("{task} ({number} of {count})", task=benchmark.name, number=number, count=count))
            _add(so_far, benchmark, suite, project, data=data, output=output / benchmark.name, quiet=quiet)
            found = _table(suite, so_far, project, output)
    if not so_far.finished:
        reason = next(iter(so_far.missing.values()))
        raise DataError(
            t("No task of {suite} could be run: {reason}", suite=suite.name, reason=reason),
            t("Mend that, then run the same command."),
        )
    return found | {"results": str(output / RESULTS)}


def _add(so_far: _Progress, benchmark: Benchmark, suite: Suite, project: Project, **where: Any) -> None:
    """Run one task; what keeps it from running is noted."""
    try:
        result = run_benchmark(benchmark, suite, project, **where)
    except InterruptedTrainingError:
        raise InterruptedTrainingError(
            t("The benchmark was stopped; finished tasks are kept, and the one at work goes on from its checkpoint."),
            t("Go on with the same command."),
        ) from None
    except TuneloopError as error:
        so_far.missing[benchmark.name] = f"{error.problem} {error.hint}".strip()
        return
    so_far.finished.append(result)
    reason = unanswered(result, benchmark)
    if reason:
        so_far.unanswered[benchmark.name] = reason


def _chosen(suite: Suite, names: Sequence[str]) -> list[Benchmark]:
    known = {benchmark.name: benchmark for benchmark in suite.tasks}
    known |= {other.casefold(): benchmark for benchmark in suite.tasks for other in benchmark.folders}
    strange = [name for name in names if name.casefold() not in known]
    if strange:
        raise ConfigError(
            t("{suite} has no task called {name!r}.", suite=suite.name, name=strange[0]),
            t("Choose one of: {known}.", known=", ".join(each.name for each in suite.tasks)),
        )
    wanted = {known[name.casefold()].name for name in names}
    return [benchmark for benchmark in suite.tasks if not names or benchmark.name in wanted]


def _table(suite: Suite, so_far: _Progress, project: Project, output: Path) -> dict[str, Any]:
    """Write what is known so far."""
    found = {
        "suite": suite.name,
        "tasks": so_far.finished,
        "missing": so_far.missing,
        "unanswered": so_far.unanswered,
        "settings": given_settings(project.config),
        "submission": None,
    }
    files = {
        name: (output / result["task"] / ANSWERS / name).read_text(encoding="utf-8")
        for result in so_far.finished
        for name in result["answers"]
    }
    if files:
        write_bytes(output / suite.archive, packed(files))
        found["submission"] = str(output / suite.archive)
    write_json(output / RESULTS, found)
    return found
