"""What becomes of a server that is asked for ten times what it can do.

    python -m benchmarks.overload [--seconds 60] [--times 10] [--texts 16]

Writes `benchmarks/quality/overload.json`. The capacity is that of 8 clients in a closed loop; a request has several
texts, as the load client shares the machine and could not send ten times as many single ones. Then requests are due at
ten times this rate, whether they are answered or not (open loop: a latency counts from the moment its request was due),
while one client goes on giving feedback. Measured: how soon refusals come, how late answers, what the server's memory
does, whether every feedback that was acknowledged is in the store exactly once and every answer has its event, and how
soon afterwards a client alone is answered as before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event as Signal
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import psutil

from benchmarks.data import unused_texts
from benchmarks.load import Load, closed_loop, open_loop, percentile_ms
from benchmarks.release import WORKSPACE, sentiment_release
from benchmarks.results import QUALITY, machine
from benchmarks.serve_vs_plain import server
from tuneloop.core.fsio import write_json
from tuneloop.core.watching import WatchConfig
from tuneloop.watch.store import open_store

CLIENTS = 8
CALM_S = 20.0
"""How long it is tried whether a client alone is answered as before."""


class Beside:
    """A client that asks and says of each answer that it was good, one after the other, however busy the server is.

    Args:
        url: of /v1/predict.
        body: what it asks.
    """

    def __init__(self, url: str, body: bytes) -> None:
        self._url, self._body = url, body
        self._begin = time.time_ns()
        self._stop = Signal()
        self.acknowledged: list[str] = []
        self.statuses: Counter[int] = Counter()

    def run(self) -> None:
        """Until `stop`."""
        while not self._stop.is_set():
            status, headers = _post(self._url, self._body)
            self.statuses[status] += 1
            if status == 200:
                self._praise(f"{headers['X-Request-Id']}.0")
            self._stop.wait(0.05)

    def _praise(self, event: str) -> None:
        place, key = urlsplit(self._url), f"overload-{self._begin}-{event}"
        given = json.dumps({"event": event, "good": True}).encode()
        status = 0
        while status != 201 and not self._stop.is_set():  # refused: the same key again, as a client would
            status, _ = _post(f"{place.scheme}://{place.netloc}/v1/feedback", given, {"Idempotency-Key": key})
            self.statuses[status] += 1
            if status in (200, 201):
                self.acknowledged.append(key)
                return
            self._stop.wait(0.2)

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Run beside the block."""
        thread = Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()


def measure(*, seconds: float, times: float, texts: int) -> dict[str, Any]:
    """Capacity, overload, and what is left of it."""
    release = sentiment_release()
    rows = unused_texts(200 * texts, 4)
    bodies = [json.dumps({"texts": rows[at : at + texts]}).encode() for at in range(0, len(rows), texts)]
    with server("our_server", release.id, "/v1/predict", bodies[0], "texts") as url:
        process = _server_of(url)
        calm = asyncio.run(closed_loop(url, bodies, clients=CLIENTS, seconds=8.0))
        alone = asyncio.run(closed_loop(url, bodies, clients=1, seconds=4.0))
        before, written = process.memory_info().rss, _events(url)
        client, memory = Beside(url, bodies[0]), []
        with client.beside(), _sampled(process, memory):
            load = asyncio.run(open_loop(url, bodies, rate=times * calm.rps, seconds=seconds))
        back_s = _until_as_before(url, bodies, 3 * alone.percentile_ms(0.5))
        events = _events(url)
        after = process.memory_info().rss
    stored = Counter(_stored_keys())
    lost = [key for key in client.acknowledged if stored[key] != 1]
    return {
        "capacity_requests_per_s": round(calm.rps, 1), "asked_per_s": round(times * calm.rps, 1),
        "seconds": seconds, "texts_in_a_request": texts, "capacity_p99_ms": round(calm.percentile_ms(0.99)),
        "answered_per_s": round(len(load.latencies_s) / load.seconds, 1),
        "statuses": _named(load.statuses) | {"unconnected": load.refused},
        "refused_p50_ms": _rounded(load, 0.5), "refused_p99_ms": _rounded(load, 0.99),
        "answered_p50_ms": round(load.percentile_ms(0.5)), "answered_p99_ms": round(load.percentile_ms(0.99)),
        "memory_before_mb": before >> 20, "memory_most_mb": max(memory) >> 20, "memory_after_mb": after >> 20,
        "feedback_acknowledged": len(client.acknowledged), "feedback_lost_or_doubled": len(lost),
        "feedback_client": _named(client.statuses),
        "events_written": events["written"] - written["written"], "events_dropped": events["dropped"],
        "as_before_after_s": back_s, "engine": release.engine,
    }  # fmt: skip


def _named(statuses: Counter[int]) -> dict[str, int]:
    return {str(status): count for status, count in sorted(statuses.items())}


def _rounded(load: Load, share: float) -> float:
    return round(percentile_ms(load.rejections_s, share), 1)


def _post(url: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    request = Request(url, body, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urlopen(request, timeout=60) as answer:
            answer.read()
            return int(answer.status), answer.headers
    except HTTPError as error:
        return error.code, error.headers


def _events(url: str) -> dict[str, Any]:
    place = urlsplit(url)
    with urlopen(f"{place.scheme}://{place.netloc}/v1/events", timeout=60) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def _server_of(url: str) -> psutil.Process:
    """The process that listens at this address."""
    port = urlsplit(url).port
    listening = [each for each in psutil.net_connections("tcp") if each.status == "LISTEN" and each.laddr.port == port]
    return psutil.Process(listening[0].pid)


@contextmanager
def _sampled(process: psutil.Process, memory: list[int]) -> Iterator[None]:
    stop = Signal()

    def sample() -> None:
        while not stop.wait(0.25):
            memory.append(process.memory_info().rss)

    thread = Thread(target=sample)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _until_as_before(url: str, bodies: list[bytes], limit_ms: float) -> float | None:
    """Seconds until ten requests of one client in a row are answered within `limit_ms` each at the median."""
    begin = time.perf_counter()
    while time.perf_counter() - begin < CALM_S:
        since = time.perf_counter() - begin
        found = asyncio.run(closed_loop(url, bodies, clients=1, requests=10))
        if found.statuses.keys() == {200} and found.percentile_ms(0.5) <= limit_ms:
            return round(since, 2)
    return None


def _stored_keys() -> Iterator[str]:
    store = open_store(WatchConfig.model_validate({"events": "texts"}), WORKSPACE)
    yield from (feedback.key for feedback, _ in store.feedback())
    store.close()


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--times", type=float, default=10.0)
    parser.add_argument("--texts", type=int, default=16)
    options = parser.parse_args()
    found = measure(seconds=options.seconds, times=options.times, texts=options.texts)
    command = f"python -m benchmarks.overload --seconds {options.seconds:g} --times {options.times:g}"
    found |= {"machine": machine(), "command": f"{command} --texts {options.texts}"}
    print(json.dumps(found, indent=2))
    write_json(QUALITY / "overload.json", found)


if __name__ == "__main__":
    main()
