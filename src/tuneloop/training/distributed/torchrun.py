"""Processes of this machine that train together, started and started again by torchrun's own launcher."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tuneloop.core.errors import TrainingError
from tuneloop.core.i18n import t
from tuneloop.core.machine import usable_cores
from tuneloop.training.distributed.ranks import OWN_STORE
from tuneloop.training.distributed.worker import Launch, ended
from tuneloop.training.interrupt import InterruptedTrainingError

LOOK_S = 0.2
"""How often the launcher looks whether a process has died."""

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

STOPPING_S = 600
"""How long a step, an evaluation and a checkpoint may take after Ctrl-C before the processes are killed."""


def run_by_torchrun(launch: Launch, *, workers: int) -> str:
    """Train with so many processes of this machine; the id of the finished run.

    Raises:
        InterruptedTrainingError: after Ctrl-C or SIGTERM; the place is kept.
        TrainingError: with what a process has said, or if processes died more often than `launch.restarts`.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    settings = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=workers,
        run_id=launch.name,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=launch.restarts,
        monitor_interval=LOOK_S,
        shutdown_timeout=STOPPING_S,
    )
    died = ""
    with TemporaryDirectory(prefix="tuneloop-launch-") as place, _surroundings(workers), _quiet_launcher():
        folder = Path(place)
        launch.write(folder)
        try:
            module = "tuneloop.training.distributed.worker"
            elastic_launch(settings, sys.executable)("-m", module, str(folder), str(os.getpid()))
        except ChildFailedError as error:
            died = str(next(iter(error.failures.values())).exitcode)
        except SignalException:
            ended(folder)
            raise InterruptedTrainingError(
                t("Tuning was stopped before its first step."), t("Start it again with the same command.")
            ) from None
        if run := ended(folder):
            return run
    raise TrainingError(
        t("Processes of the training died {count} times, the last with code {code}.",
          count=launch.restarts + 1, code=died),
        t("The last checkpoint is kept; go on with --resume, with fewer --workers if the memory was short."),
    )  # fmt: skip


@contextmanager
def _surroundings(workers: int) -> Iterator[None]:
    """Inside the block the environment has what processes need, unless it says otherwise: each its share of the cores,
    and a store of their own after each restart (`join` says why)."""
    threads = max(1, usable_cores() // workers)
    added = {"OMP_NUM_THREADS": str(threads), OWN_STORE: "1"}
    added = {name: value for name, value in added.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


@contextmanager
def _quiet_launcher() -> Iterator[None]:
    """Inside the block torch's launcher does not say in its own words what is said here; its handlers go afterwards."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith("torch.distributed.elastic")]
    levels = {name: logging.getLogger(name).level for name in names}
    handlers = {number: signal.getsignal(number) for number in HANDLED}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        for number, handler in handlers.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)
