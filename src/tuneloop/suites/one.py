"""One task of a suite: its data, its run, its figures, its answers to the test sets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.fsio import write_json, write_text
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.project import Project
from tuneloop.data.snapshot_folder import Snapshot
from tuneloop.data.stored import hash_examples
from tuneloop.suites.base import Benchmark, Suite
from tuneloop.suites.figures import official_figures
from tuneloop.suites.reading import Rows, find_folder, read_labelled, read_unlabelled
from tuneloop.suites.splits import official_snapshot
from tuneloop.tasks import TASKS
from tuneloop.training.run import Run, open_run, tune

if TYPE_CHECKING:
    from tuneloop.tasks.base import ModelHandle

RESULT, ANSWERS = "result.json", "answers"
AS_IT_IS = {"unicode": "none", "fix_encoding": False, "control": False, "duplicates": "keep"}
"""Published texts are read as they are, so that figures can be compared with published ones."""


@dataclass(frozen=True)
class Material:
    """The rows of a task.

    Args:
        snapshot: what is learnt from; its test split is the first of `dev`.
        dev: labelled rows for the figures, by name.
        tests: rows to answer, by the file of the submission.
        dropped: rows without a label that counts, by the part that had them.
    """

    snapshot: Snapshot
    dev: dict[str, Rows]
    tests: dict[str, Rows]
    dropped: dict[str, int]


def run_benchmark(
    benchmark: Benchmark,
    suite: Suite,
    project: Project,
    *,
    data: Path,
    output: Path,
    quiet: bool = False,
) -> dict[str, Any]:
    """Train what is not trained yet, measure, answer, and keep it in `output`; what result.json says.

    Raises:
        DataError: if a file is missing or damaged.
        ConfigError: if the method or model does not fit the task.
        InterruptedTrainingError: after Ctrl-C; the same call goes on.
    """
    workspace = project.workspace
    settings = task_config(benchmark, suite, project.config)
    material = read_material(benchmark, suite, data, seed=settings.seed, workspace=workspace)
    run = tune(
        settings,
        snapshot=material.snapshot,
        workspace=workspace,
        base=project.base,
        resume=_begun(settings, material.snapshot, workspace),
        quiet=quiet,
    )
    key = _key(benchmark, run, material, settings)
    kept = _kept(output, key, material)
    return kept or _measured(benchmark, material, run, settings, output, key)


def task_config(benchmark: Benchmark, suite: Suite, config: RunConfig) -> RunConfig:
    """The settings of the task's run: those given, with its data, its type and, unless given, its length of texts.

    Raises:
        ConfigError: if an option is impossible.
    """
    plain = given_settings(config)
    columns = {} if benchmark.fields.pair is None else {"pair": "pair"}
    plain["name"] = f"{suite.name}-{benchmark.name}"
    plain["data"] = {"source": f"{suite.name}/{benchmark.name}", "columns": columns, "clean": AS_IT_IS}
    plain["task"] = {"type": benchmark.task}
    plain["model"] = {"max_tokens": benchmark.max_tokens} | plain.get("model", {})
    return parse_config(plain, where=f"{suite.name}, {benchmark.name}")


def given_settings(config: RunConfig) -> dict[str, Any]:
    """What was set, without what is by default and without the data, task and name of another job."""
    plain = config.model_dump(mode="json", exclude_unset=True)
    return {name: value for name, value in plain.items() if name not in ("data", "task", "name")}


def read_material(benchmark: Benchmark, suite: Suite, data: Path, *, seed: int, workspace: Workspace) -> Material:
    """The rows of a task in the folder of the suite.

    Raises:
        DataError: with file, place and remedy.
    """
    folder, task = find_folder(data, benchmark, suite), TASKS.get(benchmark.task)
    train = read_labelled(benchmark, benchmark.train, folder, task)
    dev = {part.name: read_labelled(benchmark, part.files, folder, task) for part in benchmark.dev}
    answered = {part.name: read_unlabelled(benchmark, part.files, folder) for part in benchmark.tests}
    first = next(iter(dev.values()))
    snapshot = official_snapshot(benchmark, suite, train, first, task, seed=seed, workspace=workspace)
    return Material(
        snapshot=snapshot,
        dev=dev,
        tests={name: rows for name, rows in answered.items() if rows is not None},
        dropped={name: rows.dropped for name, rows in {"train": train, **dev}.items() if rows.dropped},
    )


def _begun(config: RunConfig, snapshot: Snapshot, workspace: Workspace) -> str | None:
    """The run of these settings on these rows, finished or not; the newest, or None."""
    wanted = config.fingerprint()
    for path in sorted(workspace.runs.glob(f"{config.name}-*/run.json"), reverse=True):
        run = open_run(path.parent.name, workspace)
        if run.snapshot_hash == snapshot.hash and run.config.fingerprint() == wanted:
            return run.id
    return None


def _key(benchmark: Benchmark, run: Run, material: Material, config: RunConfig) -> str:
    """What figures and answers hang on."""
    rows = {**material.dev, **material.tests}
    contents = {name: hash_examples(each.examples) for name, each in rows.items()}
    resamples = config.evaluation.resamples
    return hash_json({"run": run.id, "rows": contents, "metrics": benchmark.metrics, "resamples": resamples})


def _kept(output: Path, key: str, material: Material) -> dict[str, Any] | None:
    """The result of an earlier call, if it is of this run and these rows and its answers are there."""
    try:
        found = dict(json.loads((output / RESULT).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
    whole = found.get("key") == key and all((output / ANSWERS / name).is_file() for name in material.tests)
    return found if whole else None


def _measured(
    benchmark: Benchmark, material: Material, run: Run, config: RunConfig, output: Path, key: str
) -> dict[str, Any]:
    sets = []
    handle = run.handle()
    try:
        for name, rows in material.dev.items():
            scores = _scores(handle, benchmark, rows)
            figures = official_figures(
                benchmark.metrics, handle.task, rows.examples.labels, scores,
                resamples=config.evaluation.resamples, seed=config.seed,
            )  # fmt: skip
            measured = {metric: found.to_json() for metric, found in figures.items()}
            sets.append({"name": name, "rows": len(rows.examples), "metrics": measured})
        (output / ANSWERS).mkdir(parents=True, exist_ok=True)
        for name, rows in material.tests.items():
            scores = _scores(handle, benchmark, rows)
            write_text(output / ANSWERS / name, benchmark.submit(rows.examples, handle.task, scores))
    finally:
        handle.close()
    result = {
        "task": benchmark.name,
        "run": run.id,
        "train_rows": len(material.snapshot.split("train")),
        "held_out_rows": len(material.snapshot.split("dev")),
        "dropped_rows": material.dropped,
        "dev": sets,
        "answers": {name: len(rows.examples) for name, rows in material.tests.items()},
        "key": key,
    }
    write_json(output / RESULT, result)
    return result


def _scores(handle: ModelHandle, benchmark: Benchmark, rows: Rows) -> Any:
    scores = handle.scores(rows.examples.inputs)
    return scores if benchmark.settle is None else benchmark.settle(rows.examples, scores)


def unanswered(result: Mapping[str, Any], benchmark: Benchmark) -> str:
    """Why a task has no file in the submission; empty if it has."""
    if result["answers"]:
        return ""
    names = sorted({name for each in benchmark.tests for names in each.files for name in names})
    return t("There is no test file ({names}).", names=", ".join(names))
