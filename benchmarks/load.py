"""A load client for HTTP/1.1 on raw sockets: cheap, so that what is measured is the server.

Closed loop: each of N clients sends its next request when it has its answer. Open loop: requests are
due at a fixed rate whatever the server does, and a latency counts from the moment its request was
due, so that a stalled server cannot hide behind clients that wait for it.

    python -m benchmarks.load http://127.0.0.1:8000/v1/predict --clients 64 --seconds 10 --text "a text"
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LOST = 0
"""The status of a request that was sent whole and got no whole answer."""


@dataclass
class Load:
    """What happened to the requests.

    Args:
        statuses: responses by status; `LOST` for requests without one.
        latencies_s: seconds of each 200, in the order of the answers.
        rejections_s: seconds of each 429 and 503, from sending the request.
        refused: connections that the server did not take.
        unanswered: requests that were given up: nothing had come when the time was over, or too many waited.
        seconds: from the first request to the last answer.
        last: body of the last answer.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    rejections_s: list[float] = field(default_factory=list)
    refused: int = 0
    unanswered: int = 0
    seconds: float = 0.0
    last: bytes = b""

    @property
    def rps(self) -> float:
        """Requests answered 200 per second."""
        return len(self.latencies_s) / self.seconds if self.seconds else 0.0

    def percentile_ms(self, share: float) -> float:
        """Latency in milliseconds below which `share` (0 to 1) of the answers lie; nan without answers."""
        return percentile_ms(self.latencies_s, share)

    def __str__(self) -> str:
        quantiles = ", ".join(
            f"p{round(share * 100)} {self.percentile_ms(share):.1f} ms" for share in (0.5, 0.95, 0.99)
        )
        return f"{self.rps:.1f} requests/s, {quantiles}, {dict(self.statuses)}, refused {self.refused}"


def percentile_ms(seconds: Sequence[float], share: float) -> float:
    """Milliseconds below which `share` (0 to 1) of them lie; nan of none."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else float("nan")


def post(path: str, body: bytes, *, host: str = "localhost", headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a POST request with a JSON body."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None
        self.usable = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self.usable = transport, True

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((LOST, b""))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or self._answer is None:
            return
        head = bytes(self._buffer[:end]).lower()
        start = head.find(b"content-length:")
        length = int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        if b"connection: close" in head:
            self.close()
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        self._buffer.clear()
        if not self._answer.done():
            self._answer.set_result((int(head[9:12]), body))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer; `LOST` if the connection ended without one."""
        if not self.usable or self._transport is None:
            return LOST, b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """End the connection."""
        self.usable = False
        if self._transport is not None:
            self._transport.close()


async def connect(url: str) -> Connection:
    """A new connection to the server of `url`.

    Raises:
        OSError: if the server does not take it.
    """
    place = urlsplit(url)
    host, port = place.hostname or "127.0.0.1", place.port or 80
    _, connection = await asyncio.get_running_loop().create_connection(Connection, host, port)
    return connection


async def closed_loop(
    url: str,
    bodies: Sequence[bytes],
    *,
    clients: int,
    seconds: float = float("inf"),
    requests: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Load:
    """Each client sends its next request when it has its answer; ends after `seconds` or `requests` in all.

    A client whose connection cannot be opened stops, so that a server may be shut down meanwhile.
    """
    load = Load()
    wire = _wire(url, bodies, headers)
    numbers = itertools.count() if requests is None else iter(range(requests))
    begin_s = time.perf_counter()

    async def client() -> None:
        connection: Connection | None = None
        for number in numbers:
            if time.perf_counter() - begin_s >= seconds:
                break
            try:
                connection = connection if connection and connection.usable else await connect(url)
            except OSError:
                load.refused += 1
                return
            await _ask(connection, wire[number % len(wire)], load, due_s=time.perf_counter())
        if connection:
            connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    load.seconds = time.perf_counter() - begin_s
    return load


def poisson(rate: float, seconds: float, *, seed: int) -> list[float]:
    """Moments, in seconds from the beginning, of arrivals that know nothing of each other."""
    draw = random.Random(seed)
    moments = itertools.accumulate(draw.expovariate(rate) for _ in itertools.count())
    return list(itertools.takewhile(lambda moment_s: moment_s < seconds, moments))


async def open_loop(
    url: str, bodies: Sequence[bytes], *, rate: float, seconds: float, headers: Mapping[str, str] | None = None
) -> Load:
    """`rate` requests per second are due for `seconds`, evenly spaced; connections are opened as needed."""
    return await at_moments(url, bodies, [number / rate for number in range(int(rate * seconds))], headers=headers)


async def at_moments(
    url: str,
    bodies: Sequence[bytes],
    due_s: Sequence[float],
    *,
    headers: Mapping[str, str] | None = None,
    drain_s: float | None = None,
    most_waiting: int | None = None,
) -> Load:
    """A request at each of these moments, whatever the server does; connections are opened as needed.

    Args:
        due_s: seconds from the beginning, ascending.
        drain_s: how long answers are waited for after the last one; without limit by default.
        most_waiting: requests under way at once at most; what is due beyond that is not sent and counts as unanswered.
    """
    load = Load()
    wire = _wire(url, bodies, headers)
    idle: deque[Connection] = deque()
    begin_s = time.perf_counter()

    async def send(number: int, due_s: float) -> None:
        while idle and not idle[-1].usable:
            idle.pop()
        try:
            connection = idle.pop() if idle else await connect(url)
        except OSError:
            load.refused += 1
            return
        try:
            await _ask(connection, wire[number % len(wire)], load, due_s=due_s)
        except asyncio.CancelledError:
            connection.close()
            raise
        idle.append(connection)

    sending: set[asyncio.Task[None]] = set()
    for number, moment_s in enumerate(due_s):
        if (wait_s := begin_s + moment_s - time.perf_counter()) > 0:
            await asyncio.sleep(wait_s)
        if most_waiting is not None and len(sending) >= most_waiting:
            load.unanswered += 1
            continue
        task = asyncio.create_task(send(number, begin_s + moment_s))
        sending.add(task)
        task.add_done_callback(sending.discard)
    if sending:
        done, late = await asyncio.wait(set(sending), timeout=drain_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        load.unanswered += len(late)
        for task in done:
            task.result()  # what went wrong in here is not the server's
    load.seconds = time.perf_counter() - begin_s
    for connection in idle:
        connection.close()
    return load


async def _ask(connection: Connection, request: bytes, load: Load, *, due_s: float) -> None:
    begin_s = time.perf_counter()
    status, load.last = await connection.ask(request)
    load.statuses[status] += 1
    if status == 200:
        load.latencies_s.append(time.perf_counter() - due_s)
    elif status in (429, 503):
        load.rejections_s.append(time.perf_counter() - begin_s)


def _wire(url: str, bodies: Sequence[bytes], headers: Mapping[str, str] | None) -> list[bytes]:
    place = urlsplit(url)
    return [post(place.path or "/", body, host=place.netloc, headers=headers) for body in bodies]


def main() -> None:
    """Load a server from the command line."""
    parser = argparse.ArgumentParser(description="Load an HTTP server and print its speed.")
    parser.add_argument("url", help="for example http://127.0.0.1:8000/v1/predict")
    parser.add_argument("--clients", type=int, default=64, help="closed loop: clients at once")
    parser.add_argument("--rate", type=float, help="open loop: requests per second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--text", action="append", help="a text to send; may be given again")
    parser.add_argument("--file", type=argparse.FileType(encoding="utf-8"), help="a file with one text per line")
    options = parser.parse_args()
    texts = (options.text or []) + (options.file.read().splitlines() if options.file else [])
    bodies = [json.dumps({"text": text}).encode() for text in texts or ["a text"]]
    if options.rate:
        load = asyncio.run(open_loop(options.url, bodies, rate=options.rate, seconds=options.seconds))
    else:
        load = asyncio.run(closed_loop(options.url, bodies, clients=options.clients, seconds=options.seconds))
    print(load)


if __name__ == "__main__":
    main()
