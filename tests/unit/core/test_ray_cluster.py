"""What is refused before a Ray cluster is asked to compute."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tuneloop.core import ray_cluster
from tuneloop.core.errors import ConfigError, MissingExtraError
from tuneloop.core.ray_cluster import ClusterError, check_on_ray, cluster, count_workers


def room(**resources: float) -> SimpleNamespace:
    return SimpleNamespace(cluster_resources=lambda: resources)


def test_a_worker_for_each_gpu_or_else_for_each_cpu() -> None:
    assert count_workers(room(CPU=8.0, memory=1e9), None) == (8, 0)
    assert count_workers(room(CPU=8.0, GPU=2.0), None) == (2, 1)
    assert count_workers(room(CPU=8.0), 3) == (3, 0)


@pytest.mark.parametrize("given", [0, -1, 3])
def test_workers_for_which_there_is_no_room_are_refused(given: int) -> None:
    with pytest.raises(ConfigError, match="has 8 CPUs and 2 GPUs"):
        count_workers(room(CPU=8.0, GPU=2.0), given)


@pytest.mark.parametrize(("on", "workers", "address"), [("mars", None, ""), ("", 2, ""), ("", None, "10.0.0.1:6379")])
def test_half_of_what_a_cluster_needs_is_refused(on: str, workers: int | None, address: str) -> None:
    with pytest.raises(ConfigError, match=r"no mars|for work on a cluster"):
        check_on_ray(on, workers, address)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"tuneloop\[ray\]"), cluster(""):
        pass


def test_a_machine_with_another_version_or_another_disk_is_named() -> None:
    own = ray_cluster.version("tuneloop")
    ray_cluster._check("n1", own, sees=True, folder=Path("/shared/x"))
    with pytest.raises(ClusterError, match=r"machine n1 has tuneloop 0\.0\.1, this one"):
        ray_cluster._check("n1", "0.0.1", sees=True, folder=Path("/shared/x"))
    with pytest.raises(ClusterError, match="machine n1 of the Ray cluster does not see /shared/x"):
        ray_cluster._check("n1", own, sees=False, folder=Path("/shared/x"))
