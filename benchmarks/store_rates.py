"""What stands behind replicas, by the second and by the byte: stores of events, the audit trail, looks at deployments.

    python -m benchmarks.store_rates [--postgres postgresql://HOST/DATABASE] [--seconds 2]

Writes `benchmarks/quality/store_rates.json`. Stores and trail are written by tuneloop's own classes into a temporary
folder (`--folder` names another disk) and into a database that the benchmark may fill; its tables are dropped.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event as Signal
from threading import Thread
from types import SimpleNamespace
from typing import Any

from benchmarks.data import LABELS, unused_texts
from benchmarks.results import QUALITY, machine
from tuneloop.core.deployment import ServeConfig
from tuneloop.core.fsio import write_json
from tuneloop.core.paths import Workspace
from tuneloop.core.watching import WatchConfig
from tuneloop.releases import deployment
from tuneloop.releases.deployment import Follower
from tuneloop.serve.trail import Recorder
from tuneloop.tasks.base import Prediction
from tuneloop.watch.making import Answered, EventMaker
from tuneloop.watch.store import EventStore, open_store
from tuneloop.watch.writer import MOST_TOGETHER

TOGETHER = (1, 12, 64, MOST_TOGETHER)
"""Events in one write; 12 is what a replica of a hundred gathers in 0.1 s where a billion come in a day."""

WRITERS = (1, 4, 16)
ROWS = 5000
"""Events by which bytes are counted."""

RELEASE = "sentiment-1"
SHARES = {"negative": 0.0312512, "neutral": 0.1250177, "positive": 0.8437311}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store_rates", description=__doc__.split("\n")[0])
    parser.add_argument("--postgres", default="", help="URL of a database that may be filled; none by default")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; the temporary folder by default")
    options = parser.parse_args()
    texts = unused_texts(2000, 4)
    with TemporaryDirectory(dir=options.folder) as folder:
        found = measure(Path(folder), options.postgres, texts, options.seconds)
    found |= {
        "machine": machine(), "load_average": round(os.getloadavg()[2], 1), "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": f"python -m benchmarks.store_rates --seconds {options.seconds:g}"
        + (" --postgres URL" if options.postgres else ""),
    }  # fmt: skip
    print(json.dumps(found, indent=2))
    write_json(QUALITY / "store_rates.json", found)


def measure(folder: Path, postgres: str, texts: Sequence[str], seconds: float) -> dict[str, Any]:
    """Events, answers of the trail and looks a second, and bytes of each."""
    places = {"sqlite": ""} | ({"postgresql": postgres} if postgres else {})
    if not postgres:
        print("  PostgreSQL is left out: no --postgres was given", flush=True)
    events: dict[str, Any] = {}
    commits: dict[str, Any] = {}
    for name, url in places.items():
        config = WatchConfig.model_validate({"events": "texts", "store": url})
        with _emptied(url):
            events[name] = {str(size): events_per_s(config, folder, texts, size, seconds) for size in TOGETHER}
            commits[name] = {str(size): writes_per_s(config, folder, texts, size, seconds) for size in WRITERS}
    trail_bytes, trail_per_s = trail(folder / "trail", texts, seconds)
    return {
        "events_per_s_by_events_in_a_write": events,
        "writes_of_12_per_s_by_writers": commits,
        "bytes_of_an_event": _bytes(folder / "bytes", postgres, texts),
        "trail": {"answers_per_s": trail_per_s, "bytes_of_an_answer": trail_bytes},
        "looks_at_deployments_per_s": {"sqlite": looks_per_s(folder / "looks", seconds)}
        | ({"postgresql": round_trips_per_s(postgres, seconds)} if postgres else {}),
        "connections_of_postgresql": _connections(postgres) if postgres else None,
    }


def made(texts: Sequence[str], kind: str = "texts") -> Iterator[Any]:
    """Events without end, as the server makes them of answers."""
    maker = EventMaker(WatchConfig.model_validate({"events": kind}), b"secret of a benchmark")
    begin = time.time_ns()
    prediction = Prediction(label="positive", probabilities=SHARES)
    for number in count():
        yield maker(
            Answered(f"20260101-{begin + number:016x}.0", time.time(), RELEASE, texts[number % len(texts)], prediction,
                     12.345, LABELS)
        )  # fmt: skip


def events_per_s(config: WatchConfig, folder: Path, texts: Sequence[str], size: int, seconds: float) -> float:
    """With one writer, so many in a write."""
    return round(size * writes_per_s(config, folder, texts, 1, seconds, size=size), 1)


def writes_per_s(
    config: WatchConfig, folder: Path, texts: Sequence[str], writers: int, seconds: float, *, size: int = 12
) -> float:
    """Of several writers into one store, each with a connection of its own."""
    stores = [open_store(config, Workspace(folder)) for _ in range(writers)]

    def work(store: EventStore) -> Callable[[], None]:
        events = made(texts)
        return lambda: store.add_events([next(events) for _ in range(size)])

    try:
        return _rate([work(store) for store in stores], seconds)
    finally:
        for store in stores:
            store.close()


def _rate(works: Sequence[Callable[[], None]], seconds: float) -> float:
    """How often a second all of them together are done, each in a thread of its own, after once each untimed."""
    done, stop = [0] * len(works), Signal()

    def repeat(place: int) -> None:
        while not stop.is_set():
            works[place]()
            done[place] += 1

    for work in works:
        work()
    threads = [Thread(target=repeat, args=(place,)) for place in range(len(works))]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    stop.wait(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    return round(sum(done) / (time.perf_counter() - begin), 1)


def _bytes(folder: Path, postgres: str, texts: Sequence[str]) -> dict[str, dict[str, int]]:
    """Of an event with its part of the indexes, by what is kept."""
    found: dict[str, dict[str, int]] = {}
    for kind in ("hashes", "texts"):
        workspace = Workspace(folder / kind)
        store = open_store(WatchConfig.model_validate({"events": kind}), workspace)
        _fill(store, texts, kind)
        found[kind] = {"sqlite": round(workspace.events.stat().st_size / ROWS)}
        if postgres:
            with _emptied(postgres):
                _fill(
                    open_store(WatchConfig.model_validate({"events": kind, "store": postgres}), workspace), texts, kind
                )
                size = _ask(postgres, "SELECT pg_total_relation_size('tuneloop_events')")
            found[kind]["postgresql"] = round(size / ROWS)
    return found


def _fill(store: EventStore, texts: Sequence[str], kind: str) -> None:
    events = made(texts, kind)
    for _ in range(0, ROWS, 100):
        store.add_events([next(events) for _ in range(100)])
    store.close()


def trail(folder: Path, texts: Sequence[str], seconds: float) -> tuple[int, float]:
    """Bytes of an answer in the trail with its text, and how many a second get onto the disk, 64 at a time."""
    recorder = Recorder(ServeConfig.model_validate({"trail": "texts"}), Workspace(folder))
    task = SimpleNamespace(name="classification", labels=LABELS)
    model = SimpleNamespace(
        release=RELEASE, engine="onnx-fp32", manifest="0" * 64, handle=SimpleNamespace(task=task), max_tokens=128
    )

    async def answer(number: int) -> None:
        body = json.dumps({"text": texts[number % len(texts)]}).encode()
        told = [{"label": "positive", "probabilities": SHARES}]
        await recorder.begin("/v1/predict").answered(RELEASE, body, told)

    async def answers() -> float:
        numbers, begin = count(), time.perf_counter()
        while time.perf_counter() - begin < seconds:
            await asyncio.gather(*(answer(next(numbers)) for _ in range(64)))
        return next(numbers) / (time.perf_counter() - begin)

    recorder.start()
    recorder.loaded(model)  # type: ignore[arg-type]
    per_s = asyncio.run(answers())
    recorder.close()
    lines = [line for file in Workspace(folder).trail.glob("*.jsonl") for line in file.read_bytes().splitlines()]
    answered = [len(line) + 1 for line in lines if b'"/v1/predict"' in line]
    return round(sum(answered) / len(answered)), round(per_s, 1)


def looks_per_s(folder: Path, seconds: float) -> float:
    """How often one process can ask whether anything was deployed."""
    workspace = Workspace(folder)
    wanted = deployment.Wanted("promote", RELEASE, (RELEASE,))
    deployment.change("sentiment", workspace, lambda _: wanted, who="a benchmark")
    follower, looks, begin = Follower(workspace), 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        follower.changed()
        looks += 1
    follower.close()
    return round(looks / (time.perf_counter() - begin), 1)


def round_trips_per_s(url: str, seconds: float) -> float:
    """How many statements several connections are answered, which is what looks cost there."""
    import psycopg

    with ExitStack() as stack:
        connections = [stack.enter_context(psycopg.connect(url, autocommit=True)) for _ in range(WRITERS[-1])]

        def trip(connection: Any) -> Callable[[], None]:
            return lambda: connection.execute("SELECT 1").fetchone()

        return _rate([trip(each) for each in connections], seconds)


def _connections(url: str) -> int:
    return int(_ask(url, "SHOW max_connections"))


def _ask(url: str, statement: str) -> Any:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement).fetchone()  # type: ignore[call-overload]
        assert row is not None
        return row[0]


@contextmanager
def _emptied(url: str) -> Iterator[None]:
    """Without the tables of a store before and after; a file of SQLite goes with its folder."""
    import psycopg

    def drop() -> None:
        if url:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("DROP TABLE IF EXISTS tuneloop_feedback, tuneloop_events, tuneloop_store")

    drop()
    yield
    drop()


if __name__ == "__main__":
    main()
