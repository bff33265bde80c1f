"""Requests per second at 64 clients with one text each: tuneloop's server against a plain handler."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from statistics import median
from urllib.request import Request, urlopen

import psutil

from benchmarks.data import unused_texts
from benchmarks.load import Load, closed_loop
from benchmarks.measure import alternate
from benchmarks.release import sentiment_release
from benchmarks.results import HERE, Result, result

CLIENTS = 64
SECONDS = 8.0
START_S = 180
STOP_S = 15


def run(name: str) -> Result:
    """Both servers run in processes of their own; while one is loaded the other idles."""
    release = sentiment_release()
    bodies = [json.dumps({"text": text}).encode() for text in unused_texts(2000, 4)]
    latencies: dict[str, list[float]] = {"tuneloop": [], "plain": []}
    with (
        server("our_server", release.id, "/v1/predict", bodies[0]) as ours,
        server("plain_server", str(release.path), "/predict", bodies[0]) as plain,
    ):
        sides = alternate(
            lambda number: load(ours, bodies, latencies["tuneloop"], number),
            lambda number: load(plain, bodies, latencies["plain"], number),
        )
    tails = {f"p99_ms of {side}": round(median(found), 1) for side, found in latencies.items()}
    if tails["p99_ms of tuneloop"] >= tails["p99_ms of plain"]:
        print(f"  the p99 is NOT lower: {tails}")
    return result(
        name, sides, ours=f"tuneloop serve, {release.engine}",
        peer="a FastAPI handler that calls transformers.pipeline", peer_package="fastapi",
        unit="requests/s", quality=tails | {"clients": CLIENTS},
    )  # fmt: skip


def load(url: str, bodies: list[bytes], p99_ms: list[float], number: int) -> float:
    """Requests per second of one repetition; its p99 is added to the others, but for the one that warms up."""
    found: Load = asyncio.run(closed_loop(url, bodies, clients=CLIENTS, seconds=SECONDS if number else SECONDS / 2))
    failed = {status: count for status, count in found.statuses.items() if status != 200}
    if failed or found.refused:
        raise SystemExit(f"{url} failed under load: {failed}, refused {found.refused}")
    if number:
        p99_ms.append(found.percentile_ms(0.99))
    return found.rps


@contextmanager
def server(module: str, model: str, path: str, body: bytes, *more: str) -> Iterator[str]:
    """The address of a server in a process of its own, once it answers."""
    with started(module, model, path, body, *more) as (url, _):
        yield url


@contextmanager
def started(
    module: str, model: str, path: str, body: bytes, *more: str, python: str = sys.executable
) -> Iterator[tuple[str, psutil.Process]]:
    """The same with its process, run by any interpreter."""
    port = _free_port()
    command = [python, "-m", f"benchmarks.{module}", model, str(port), *more]
    process = psutil.Popen(command, cwd=HERE.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}{path}"
    try:
        _wait(url, body, process)
        yield url, process
    finally:
        _stop(process)


def _stop(process: psutil.Popen) -> None:
    """End it, and what it has started; some peers leave their workers behind."""
    workers = process.children(recursive=True) if process.is_running() else []
    process.terminate()
    _, left = psutil.wait_procs([process, *workers], timeout=STOP_S)
    for each in left:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()


def _wait(url: str, body: bytes, process: psutil.Popen) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=START_S):
                return
        except OSError:  # not there yet, or not ready
            time.sleep(0.2)
    raise SystemExit(f"{' '.join(map(str, process.args))} did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
