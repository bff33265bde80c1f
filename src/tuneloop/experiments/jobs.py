"""The jobs of a comparison, one after the other: finished ones are not done again, a stopped one goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.core.config import MethodConfig, RunConfig, parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.core.experiments import Candidate
from tuneloop.core.fsio import write_json
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.progress import progress
from tuneloop.evaluation.evaluate import BASE
from tuneloop.experiments.job import FAILURE, RESULT, SCORES, SPEC, Job
from tuneloop.experiments.reads import Known, hash_of_read
from tuneloop.methods import BASELINES, create_method
from tuneloop.tasks import create_task
from tuneloop.tasks.stored import unpack_scores
from tuneloop.training.interrupt import InterruptedTrainingError, held_interrupts

POLL_S = 0.2


@dataclass(frozen=True)
class Finished:
    """A job and what it left.

    Args:
        job: what was run.
        result: what result.json says.
        scores: the answers to the rows of the split, (n, outputs).
    """

    job: Job
    result: dict[str, Any]
    scores: np.ndarray[Any, np.dtype[np.float32]]


def check_from_anew(config: RunConfig) -> None:
    """Nothing, if the runs start from a pretrained model: jobs have runs of their own, of which none is gone on from.

    Raises:
        ConfigError: if they would go on from a model.
    """
    if config.continual.model:
        raise ConfigError(
            t("Comparisons and searches start from model.source, not from continual.model."),
            t("Leave continual.model out, or run tuneloop tune with each setting and read best_dev in run.json."),
        )


def candidates(config: RunConfig, labels: Sequence[str]) -> tuple[list[Candidate], dict[str, str]]:
    """The methods that make sense for the task, and why the others do not.

    The task's strongest baseline stands first in every comparison: what does not beat it is not worth its cost. So does
    a model that writes as it came, before it is tuned.

    Raises:
        ConfigError: if a method does not exist, has no such option, or two have the same name in tables, or the runs
            would go on from a model.
    """
    check_from_anew(config)
    task = create_task(config.task, {"labels": list(labels)})
    baseline = task.baselines[-1]
    always = [baseline, BASE] if task.generates else [baseline]
    fitting, refused = [Candidate.model_validate({"type": name}) for name in always], {}
    for each in config.comparison.methods:
        if each.type in (*BASELINES.names(), *always):
            fitting += [each] if each.type not in always else []
            continue
        method = create_method(MethodConfig(type=each.type, **each.options))
        _config_of(config, each, config.seed)  # a wrong setting, before anything runs
        if why := method.refusal(task):
            refused[name_of(each)] = why
        else:
            fitting.append(each)
    names = [name_of(each) for each in fitting]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            t("Two methods of the comparison are called {name}.", name=twice[0]),
            t("Give each a name of its own: {example}", example="{type: lora, rank: 4, label: small lora}"),
        )
    return fitting, refused


def name_of(candidate: Candidate) -> str:
    """What a candidate is called in tables."""
    return candidate.label or candidate.type


def plan_jobs(
    config: RunConfig, chosen: Sequence[Candidate], snapshot_hash: str, *, workspace: Workspace, base: Path
) -> list[Job]:
    """Every method with every budget and seed; small budgets first. What is not trained has one seed."""

    known: Known = {}

    def job(each: Candidate, budget: int | str, seed: int) -> Job:
        settings = _config_of(config, each, seed)
        reads = hash_of_read(settings, base=base, workspace=workspace, known=known)
        return Job(name_of(each), settings, budget, snapshot_hash, config.comparison.split, reads)

    order = sorted(config.comparison.budgets, key=lambda budget: (isinstance(budget, str), budget))
    return [
        job(each, budget, seed)
        for budget in dict.fromkeys(order)
        for each in chosen
        for seed in list(dict.fromkeys(config.comparison.seeds))[: 1 if each.type == BASE else None]
    ]


def run_jobs(
    jobs: Sequence[Job], *, workspace: Workspace, base: Path, quiet: bool = False
) -> tuple[list[Finished], dict[str, str]]:
    """Run what has no result yet; the results, and of each method that failed, why.

    Raises:
        InterruptedTrainingError: after Ctrl-C or SIGTERM; the same command goes on where it stopped.
    """
    finished, failed = [], {}
    with progress(t("comparing"), len(jobs), quiet=quiet) as bar, held_interrupts() as interrupted:
        for number, job in enumerate(jobs):
            bar.update(number, f"{job.label} · {job.budget} · seed {job.config.seed}")
            folder = workspace.comparisons / "jobs" / job.key
            if not (folder / RESULT).is_file():
                _start(job, folder, workspace, base, interrupted)
            if (folder / RESULT).is_file():
                result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
                finished.append(Finished(job, result, unpack_scores((folder / SCORES).read_bytes())))
            else:
                failed[job.label] = json.loads((folder / FAILURE).read_text(encoding="utf-8"))["problem"]
        bar.update(len(jobs))
    return finished, failed


def _config_of(config: RunConfig, candidate: Candidate, seed: int) -> RunConfig:
    plain = config.model_dump(mode="json")
    plain["training"] |= candidate.training
    plain |= {"seed": seed, "method": {"type": candidate.type, **candidate.options}}
    return parse_config(plain, where=t("comparison.methods, {name}", name=name_of(candidate)))


def _start(job: Job, folder: Path, workspace: Workspace, base: Path, interrupted: Callable[[], bool]) -> None:
    """Run a job in another process, to its end or until someone wants to stop."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FAILURE).unlink(missing_ok=True)
    write_json(folder / SPEC, job.to_json() | {"workspace": str(workspace.root.resolve()), "base": str(base.resolve())})
    command = [sys.executable, "-m", "tuneloop.experiments.job", str(folder), str(os.getpid())]
    # in a session of its own, so that Ctrl-C reaches it once: through us
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, start_new_session=True, stdout=log, stderr=subprocess.STDOUT)
        for code in _codes(process):
            if code is None and interrupted():
                process.send_signal(signal.SIGTERM)
                process.wait()
    if interrupted():
        raise InterruptedTrainingError(
            t("The comparison was stopped; finished runs are kept, and the one at work goes on from its checkpoint."),
            t("Go on with the same command."),
        )
    if not any((folder / name).is_file() for name in (RESULT, FAILURE)):
        reason = t("the process ended with code {code}; see {path}", code=process.returncode, path=folder / "log.txt")
        write_json(folder / FAILURE, {"problem": reason, "hint": ""})


def _codes(process: subprocess.Popen[bytes]) -> Iterator[int | None]:
    """None as long as the process runs, then its exit code."""
    while True:
        try:
            yield process.wait(POLL_S)
            return
        except subprocess.TimeoutExpired:
            yield None
