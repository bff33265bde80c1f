"""One run of a comparison, in a process of its own, so that its memory is its own.

`python -m tuneloop.experiments.job FOLDER PARENT` does what FOLDER/job.json says and leaves result.json and scores.npy,
or failure.json. Killed at any moment, it goes on from the last checkpoint when it is started again.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import TuneloopError
from tuneloop.core.fsio import remove_dir, write_bytes, write_json
from tuneloop.core.hashing import hash_json
from tuneloop.core.lock import locked
from tuneloop.core.parent import end_with
from tuneloop.core.paths import Workspace
from tuneloop.data.snapshot_folder import find_snapshot
from tuneloop.evaluation.evaluate import BASE
from tuneloop.experiments.budget import Budgeted
from tuneloop.methods import BASELINES, METHODS
from tuneloop.tasks.stored import pack_scores
from tuneloop.training.interrupt import InterruptedTrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuneloop.data.examples import Input
    from tuneloop.inference.predictor import Predictor
    from tuneloop.tasks.generation import Generation
    from tuneloop.training.run import Run

VERSION = 2
SPEC, RESULT, FAILURE, SCORES = "job.json", "result.json", "failure.json", "scores.bin"
SPEED_S = 2.0
"""How long a model's speed is measured."""

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Job:
    """What is run.

    Args:
        label: the method's name in tables.
        config: the run, with the method, the seed and the training settings of this job.
        budget: labels of each class, or "all".
        snapshot_hash: the data.
        split: where it is judged: dev or test.
        reads: what is read beside the data: see `hash_of_read`.
    """

    label: str
    config: RunConfig
    budget: int | str
    snapshot_hash: str
    split: str
    reads: str = ""

    @cached_property
    def key(self) -> str:
        """Names all that determines the result."""
        parts = [VERSION, self.config.fingerprint(), self.budget, self.snapshot_hash, self.split, self.reads]
        return hash_json(parts)[:20]

    def to_json(self) -> dict[str, Any]:
        """What job.json holds."""
        return {
            "label": self.label,
            "config": self.config.model_dump(mode="json"),
            "budget": self.budget,
            "snapshot_hash": self.snapshot_hash,
            "split": self.split,
            "reads": self.reads,
        }


def run_job(job: Job, folder: Path, *, workspace: Workspace, base: Path) -> None:
    """Train, answer the rows of the split, and keep the answers and what they cost.

    Args:
        folder: where the result goes; the run in it goes on if there is one, and is removed at the end.
        workspace: where the snapshot is, and what the settings name.
        base: the folder that a relative model.source starts from.
    """
    data = Budgeted(find_snapshot(job.snapshot_hash, workspace), job.budget, job.config.seed)
    kind = job.config.method.type
    fit = _baseline if kind in BASELINES.names() else _untuned if kind == BASE else _tuned
    scores, result = fit(job, data, folder, base, workspace)
    write_bytes(folder / SCORES, pack_scores(scores))
    write_json(folder / RESULT, {"train_rows": len(data.split("train"))} | result)
    if (place := folder / "work").exists():
        remove_dir(place)


def _tuned(job: Job, data: Budgeted, folder: Path, base: Path, names: Workspace) -> tuple[Any, dict[str, Any]]:
    from tuneloop.inference.writing import evaluated_with
    from tuneloop.training.run import tune

    place = Workspace(folder / "work")  # with a cache of its own: what another job has computed would look free here
    resume = "latest" if any(place.runs.glob("*/run.json")) else None
    began_s = time.monotonic()
    run = tune(job.config, snapshot=data, workspace=place, names=names, base=base, resume=resume, quiet=True)
    seconds = max(time.monotonic() - began_s, float(run.info.get("steps_s", 0.0)))  # the steps before an interruption
    scores, speed = _answered(run.handle(evaluated_with(job.config.task)), data.whole.split(job.split).inputs)
    return scores, speed | {
        "trained_parameters": run.info["model"]["trained_parameters"],
        "parameters": run.info["model"]["parameters"],
        "seconds": seconds,
        "peak_memory_bytes": run.info["peak_memory_bytes"],
        "size_bytes": _size(run),
        "steps": run.info["steps"],
        "best_step": run.info["best_step"],
        "machine": run.info["environment"],
    }


def _untuned(job: Job, data: Budgeted, folder: Path, base: Path, _: Workspace) -> tuple[Any, dict[str, Any]]:
    """The model that writes as it came; the time is that of opening it."""
    from tuneloop.inference.writing import open_untuned
    from tuneloop.tasks import create_task

    task = create_task(job.config.task, {"labels": list(data.labels)})
    began_s = time.monotonic()
    writer = open_untuned(job.config, task=cast("Generation", task), base=base)
    seconds = time.monotonic() - began_s
    scores, speed = _answered(writer, data.whole.split(job.split).inputs)
    return scores, speed | {"seconds": seconds}


def _answered(handle: Predictor, inputs: Sequence[Input]) -> tuple[Any, dict[str, float]]:
    """The scores, and how fast a model gives them."""
    from tuneloop.inference.measure import measure_engine, measure_writing

    began_s = time.monotonic()
    scores = handle.scores(inputs)
    took_s = time.monotonic() - began_s
    if handle.task.generates:
        speed = measure_writing(handle, inputs, took_s=took_s)
    else:
        speed = measure_engine(handle, inputs, seconds=SPEED_S)
    return scores, {"latency_ms": speed.latency_ms, "texts_per_s": speed.texts_per_s}


def _baseline(job: Job, data: Budgeted, folder: Path, base: Path, _: Workspace) -> tuple[Any, dict[str, Any]]:
    from tuneloop.tasks import create_task

    task = create_task(job.config.task, {"labels": list(data.labels)})
    train = data.split("train")
    task.learn(train.labels)
    began_s = time.monotonic()
    model = BASELINES.get(job.config.method.type)().fit(train, task, seed=job.config.seed)
    seconds = time.monotonic() - began_s
    inputs = data.whole.split(job.split).inputs
    began_s = time.monotonic()
    scores = model.scores(inputs)
    return scores, {"seconds": seconds, "texts_per_s": len(inputs) / max(time.monotonic() - began_s, 1e-9)}


def _size(run: Run) -> int:
    """Bytes of what the run has learnt: of the whole model, or of what `keep: apart` leaves beside a pretrained one."""
    from tuneloop.models.load import APART

    apart = run.model_path / APART
    if apart.is_file():
        return apart.stat().st_size
    if "keep" in METHODS.get(run.config.method.type).Options.model_fields:  # merged
        return FLOAT_BYTES * int(run.info["model"]["trained_parameters"])
    return sum(file.stat().st_size for file in run.model_path.glob("*.safetensors"))


def main(folder: Path) -> int:
    """Do the job in `folder`, alone there; the exit code."""
    with locked(folder):
        return 0 if (folder / RESULT).is_file() else _do(folder)


def _do(folder: Path) -> int:
    spec = json.loads((folder / SPEC).read_text(encoding="utf-8"))
    workspace, base = Workspace(Path(spec.pop("workspace"))), Path(spec.pop("base"))
    job = Job(**spec | {"config": parse_config(spec["config"])})
    try:
        run_job(job, folder, workspace=workspace, base=base)
    except InterruptedTrainingError as stopped:
        return stopped.exit_code
    except TuneloopError as error:
        write_json(folder / FAILURE, {"problem": error.problem, "hint": error.hint})
        return error.exit_code
    return 0


if __name__ == "__main__":
    end_with(int(sys.argv[2]))
    sys.exit(main(Path(sys.argv[1])))
