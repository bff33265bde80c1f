"""What events cost the answers of a server: requests per second and latencies at 64 clients, with and without them.

    python -m benchmarks.events [--seconds 8] [--rounds 5]

Writes `benchmarks/quality/events.json`. The servers run side by side in processes of their own and are loaded in turn,
so that a slow minute of the machine hits all of them; figures are medians over the rounds. Feedback is timed one at a
time by one client, each on an event of its own: an acknowledgement waits for the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from http.client import HTTPConnection
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from benchmarks.data import unused_texts
from benchmarks.load import closed_loop
from benchmarks.release import sentiment_release
from benchmarks.results import QUALITY, machine
from benchmarks.serve_vs_plain import CLIENTS, server
from tuneloop.core.fsio import write_json

KINDS = ("off", "hashes", "texts")
FEEDBACKS = 200


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.events", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    release = sentiment_release()
    bodies = [json.dumps({"text": text}).encode() for text in unused_texts(2000, 4)]
    rounds: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    with ExitStack() as stack:
        urls = {
            kind: stack.enter_context(server("our_server", release.id, "/v1/predict", bodies[0], kind))
            for kind in KINDS
        }
        for url in urls.values():  # a round that does not count
            _load(url, bodies, options.seconds / 2)
        for _ in range(options.rounds):
            for kind, url in urls.items():
                rounds[kind].append(_load(url, bodies, options.seconds))
        figures = {kind: _medians(found) for kind, found in rounds.items()}
        for kind in KINDS[1:]:
            figures[kind] |= _feedback_ms(urls[kind], bodies[0]) | _state(urls[kind])
    print(json.dumps(figures, indent=2))
    about = {"engine": release.engine, "clients": CLIENTS, "seconds": options.seconds, "rounds": options.rounds}
    about |= {"machine": machine(), "date": f"{datetime.now(UTC):%Y-%m-%d}", "command": "python -m benchmarks.events"}
    write_json(QUALITY / "events.json", about | {"figures": figures})


def _load(url: str, bodies: list[bytes], seconds: float) -> dict[str, float]:
    found = asyncio.run(closed_loop(url, bodies, clients=CLIENTS, seconds=seconds))
    if found.statuses.keys() != {200}:
        raise SystemExit(f"{url} failed under load: {found}")
    return {"requests_per_s": found.rps, "p50_ms": found.percentile_ms(0.5), "p99_ms": found.percentile_ms(0.99)}


def _medians(found: list[dict[str, float]]) -> dict[str, Any]:
    return {name: round(median(each[name] for each in found), 2) for name in found[0]}


def _feedback_ms(url: str, body: bytes) -> dict[str, float]:
    place, taken = urlsplit(url), []
    connection = HTTPConnection(place.hostname or "", place.port, timeout=30)
    for number in range(FEEDBACKS):
        connection.request("POST", place.path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        given = json.dumps({"event": f"{answer.headers['X-Request-Id']}.0", "good": True})
        begin = time.perf_counter()
        connection.request("POST", "/v1/feedback", given, {"Idempotency-Key": f"{place.port}-{begin}-{number}"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 201:
            raise SystemExit(f"feedback was answered {answer.status}")
        taken.append(1000 * (time.perf_counter() - begin))
    connection.close()
    return {"feedback_p50_ms": round(median(taken), 2), "feedback_p99_ms": round(sorted(taken)[-len(taken) // 100], 2)}


def _state(url: str) -> dict[str, int]:
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=30)
    connection.request("GET", "/v1/events")
    found = json.loads(connection.getresponse().read())
    connection.close()
    return {"events_written": found["written"], "events_dropped": found["dropped"]}


if __name__ == "__main__":
    main()
