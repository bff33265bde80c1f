"""A Ray cluster to compute on: one that exists, or one of this machine alone.

Its machines take code and rows through Ray and everything else from files: the workspace must lie on a disk that all of
them share, under the same path.
"""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tuneloop.core.errors import ConfigError, MissingExtraError, TuneloopError
from tuneloop.core.fsio import make_dir, storage_errors, write_text
from tuneloop.core.i18n import t

RETRIES = 3
"""How often something is computed again after the process or machine that was at it has died."""


class ClusterError(TuneloopError):
    """The cluster cannot be reached, or its machines cannot do what is asked."""


@contextmanager
def cluster(address: str) -> Iterator[Any]:
    """The module `ray`, connected inside the block; what it and its processes print is in the logs of the cluster.

    Args:
        address: of a cluster, such as 10.0.0.1:6379; "local" makes one of this machine; by default RAY_ADDRESS, or what
            `ray start` has begun here, or else one of this machine.

    Raises:
        MissingExtraError: if ray is not installed.
        ClusterError: if there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
    try:
        import ray
    except ImportError:
        raise MissingExtraError("ray", "ray") from None
    if ray.is_initialized():  # by a program of the user's
        yield ray
        return
    try:
        ray.init(address=address or None, namespace="tuneloop", logging_level=logging.CRITICAL, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(
            t("The Ray cluster {address} cannot be reached: {reason}",
              address=address or os.environ.get("RAY_ADDRESS", "auto"), reason=_first_line(error)),
            t("Start one with: ray start --head   and give its address with --address or RAY_ADDRESS."),
        ) from None  # fmt: skip
    try:
        yield ray
    finally:
        ray.shutdown()


def check_on_ray(on: str, workers: int | None, address: str) -> None:
    """Nothing, if it is said alike of all three whether something is done on a cluster.

    Raises:
        ConfigError: if not.
    """
    if on not in ("", "ray"):
        raise ConfigError(t("There is no {on} to work on.", on=on), t("Known: {known}.", known="ray"))
    if not on and (workers is not None or address):
        raise ConfigError(t("--workers and --address are for work on a cluster."), t("Give --on ray too."))


def check_machines(ray: Any, folder: Path) -> None:
    """Nothing, if every machine of the cluster has this version of tuneloop and sees this folder.

    Raises:
        ClusterError: naming the machine that does not.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    marker = folder / f".seen-{uuid.uuid4().hex[:8]}"
    with storage_errors(folder):
        make_dir(folder)
    write_text(marker, "")
    look = ray.remote(num_cpus=0, max_retries=0)(_look)
    try:
        for node in ray.nodes():
            if node["Alive"]:
                there = look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
                host, found, sees = _asked(ray, there.remote(str(marker)), node["NodeManagerHostname"])
                _check(host, found, sees=sees, folder=folder)
    finally:
        marker.unlink(missing_ok=True)


def answer(ray: Any, reference: Any) -> Any:
    """What a task gives, or its error if that is one of ours.

    Raises:
        ClusterError: if the task died too often.
    """
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, TuneloopError):
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:
        raise ClusterError(
            t("A process of the Ray cluster died again and again: {reason}", reason=_first_line(error)),
            t("Give it more memory, or fewer --workers, and start again."),
        ) from None


def count_workers(ray: Any, given: int | None) -> tuple[int, int]:
    """How many processes work, and the GPUs of each: by default one for each GPU of the cluster, or for each CPU.

    Raises:
        ConfigError: if the cluster has no room for them.
    """
    room = ray.cluster_resources()
    cpus, gpus = int(room.get("CPU", 0)), int(room.get("GPU", 0))
    count = (gpus or cpus) if given is None else given
    if not 0 < count <= (gpus or cpus):
        raise ConfigError(
            t("{given} processes are asked for, but the Ray cluster has {cpus} CPUs and {gpus} GPUs.",
              given=count, cpus=cpus, gpus=gpus),
            t("Give fewer --workers, one for each GPU or CPU, or add machines to the cluster."),
        )  # fmt: skip
    return count, int(gpus > 0)


def _look(path: str) -> tuple[str, str, bool]:
    return socket.gethostname(), version("tuneloop"), Path(path).is_file()


def _asked(ray: Any, reference: Any, host: str) -> tuple[str, str, bool]:
    try:
        found: tuple[str, str, bool] = ray.get(reference)
        return found
    except ray.exceptions.RayError as error:
        raise ClusterError(
            t("tuneloop does not run on the machine {host} of the Ray cluster: {reason}",
              host=host, reason=_first_line(error)),
            t("Install the same version of tuneloop in the environment that ray was started in there."),
        ) from None  # fmt: skip


def _check(host: str, found: str, *, sees: bool, folder: Path) -> None:
    own = version("tuneloop")
    if found != own:
        raise ClusterError(
            t("The machine {host} has tuneloop {found}, this one {own}.", host=host, found=found, own=own),
            t("Install the same version of tuneloop in the environment that ray was started in there."),
        )
    if not sees:
        raise ClusterError(
            t("The machine {host} of the Ray cluster does not see {folder}.", host=host, folder=folder),
            t("Put the workspace on a disk that all machines share, under the same path: --set workspace=/shared/NAME"),
        )


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else type(error).__name__
