"""Processes of a Ray cluster that train together, started and started again by Ray Train."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from tuneloop.core.errors import TrainingError
from tuneloop.core.fsio import remove_dir, storage_errors
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.ray_cluster import check_machines, cluster, count_workers
from tuneloop.training.distributed.ranks import PATIENCE, LostRankError
from tuneloop.training.distributed.worker import Launch, ended, work
from tuneloop.training.interrupt import InterruptedTrainingError

SAID, HEAR_S = "said.txt", 0.5
"""What processes say, in the folder of the launch, and how often it is looked at."""


def run_on_ray(launch: Launch, *, workers: int | None, address: str) -> str:
    """Train with so many processes of the cluster; the id of the finished run.

    Raises:
        ClusterError: if the cluster cannot be reached, or a machine does not see the workspace.
        InterruptedTrainingError: after Ctrl-C; the newest checkpoint is kept.
        TrainingError: with what a process has said, or if processes died more often than `launch.restarts`.
    """
    workspace = Workspace(Path(launch.workspace))
    folder = workspace.cache / "launches" / launch.name
    with cluster(address) as ray:
        check_machines(ray, workspace.cache)
        count, gpus = count_workers(ray, workers)
        with storage_errors(folder):
            folder.mkdir(parents=True)
        launch.write(folder)
        try:
            with _heard(folder / SAID):
                died = _fit(folder, launch, count=count, gpus=gpus)
            run = ended(folder)
        except KeyboardInterrupt:
            raise InterruptedTrainingError(
                t("Tuning was stopped; the newest checkpoint is kept."),
                f"{t('Go on with: tuneloop tune --resume')} {launch.options}",
            ) from None
        finally:
            remove_dir(folder)
    if run is None:
        raise TrainingError(
            t("Processes of the training died {count} times, the last with: {reason}",
              count=launch.restarts + 1, reason=died),
            t("The last checkpoint is kept; go on with --resume, with fewer --workers if the memory was short."),
        )  # fmt: skip
    return run


def _fit(folder: Path, launch: Launch, *, count: int, gpus: int) -> str:
    """Let Ray Train work; what it says of processes that died too often."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer
    from ray.train.v2.api.exceptions import TrainingFailedError

    trainer = TorchTrainer(
        _work,
        train_loop_config={"folder": str(folder)},
        scaling_config=ScalingConfig(num_workers=count, use_gpu=gpus > 0),
        torch_config=TorchConfig(backend="nccl" if gpus else "gloo", timeout_s=int(PATIENCE.total_seconds())),
        run_config=RunConfig(
            name="state", storage_path=str(folder), failure_config=FailureConfig(max_failures=launch.restarts)
        ),
    )
    logging.getLogger("ray.train").setLevel(logging.CRITICAL)  # what matters of it is said here
    os.environ.setdefault("RAY_TRAIN_ENABLE_PRINT_PATCH", "0")  # or each line would be written twice
    try:
        trainer.fit()
    except TrainingFailedError as error:
        return str(error).strip().splitlines()[-1][:300]
    return ""


def _work(given: dict[str, Any]) -> None:
    """One process, which says what it has to say in a file; an end that is to be started again is an error to Ray."""
    folder = Path(given["folder"])
    with (folder / SAID).open("a", encoding="utf-8", buffering=1) as file, redirect_stderr(file):
        code = work(folder, count=0)
    if code:
        raise LostRankError(t("Another process of this training has ended or cannot be reached."))


@contextmanager
def _heard(path: Path) -> Iterator[None]:
    """Inside the block what comes to stand in a file, line by line, is said here."""
    path.touch()
    ended = threading.Event()
    with path.open(encoding="utf-8") as file:

        def listen() -> None:
            while not ended.wait(HEAR_S):
                say()

        def say() -> None:
            sys.stderr.write(file.read())
            sys.stderr.flush()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            say()
