"""A server that computes waiting requests together, as a queue; and many of them behind a load balancer.

The discipline is that of `tuneloop.serve.batching`: a batch takes what waits, up to so many texts; right after a batch
the next one waits a moment for as many as came before; a request is refused where the queue is full or longer than half
of its deadline, and expires behind its deadline. Requests have one text each. With one text in a batch and no limits
this is M/G/1, whose mean wait is known (Pollaczek-Khinchine), by which the simulation is tested.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from tuneloop.serve.batching import WAITING_SHARE

Choose = Callable[[np.ndarray, random.Random], int]
"""From the requests that each replica has, waiting or computed, (replicas,), to the one that takes the next."""


@dataclass(frozen=True)
class Server:
    """A replica.

    Args:
        service_s: seconds that a batch of so many texts takes; may draw them by chance.
        most: texts in a batch at most.
        wait_s: how long a batch waits for as many texts as were in the one before (`serve.max_wait_ms`).
        max_queue: texts that may wait.
        deadline_s: of each request.
        overhead_s: added to every latency: what is done for a request outside of its batch.
    """

    service_s: Callable[[int], float]
    most: int
    wait_s: float = 0.002
    max_queue: float = 1024
    deadline_s: float = 10.0
    overhead_s: float = 0.0


@dataclass
class Outcome:
    """What became of the requests.

    Args:
        latencies_s: of those that were answered in time.
        refused: 429.
        expired: 504.
        batches: how many were computed.
    """

    latencies_s: list[float] = field(default_factory=list)
    refused: int = 0
    expired: int = 0
    batches: int = 0

    @property
    def requests(self) -> int:
        """All of them."""
        return len(self.latencies_s) + self.refused + self.expired

    def quantile_ms(self, share: float) -> float:
        """Milliseconds within which this share of the answers came; nan without answers."""
        if not self.latencies_s:
            return math.nan
        return float(1000 * np.quantile(self.latencies_s, share, method="higher"))


class Replica:
    """One server's queue and what it computes."""

    def __init__(self, server: Server, outcome: Outcome) -> None:
        self._server, self._outcome = server, outcome
        self._queue: deque[float] = deque()
        self._batch: list[float] = []
        self._began_s = 0.0
        self._ended_s = -math.inf
        self._last = 0
        self._text_s = 0.01

    @property
    def requests(self) -> int:
        """Waiting or computed."""
        return len(self._queue) + len(self._batch)

    def arrive(self, now_s: float) -> None:
        """A request: let in or refused."""
        self._expire(now_s)
        waiting, server = len(self._queue), self._server
        if waiting + 1 > server.max_queue or waiting * self._text_s > WAITING_SHARE * server.deadline_s:
            self._outcome.refused += 1
        else:
            self._queue.append(now_s)

    def next_s(self, now_s: float) -> float | None:
        """Begin a batch if it is time; when to look again: at its end, or when waiting for more has lasted enough."""
        self._expire(now_s)
        if self._batch or not self._queue:
            return None
        until_s = self._ended_s + self._server.wait_s
        if len(self._queue) < self._last and now_s < until_s:
            return until_s
        self._batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._server.most))]
        self._began_s = now_s
        self._ended_s = now_s + self._server.service_s(len(self._batch))
        return self._ended_s

    def end_batch(self, now_s: float) -> None:
        """Answer what was computed, if its end has come."""
        if not self._batch or now_s < self._ended_s:
            return
        server, outcome = self._server, self._outcome
        outcome.batches += 1
        for arrived_s in self._batch:
            latency_s = now_s - arrived_s
            if latency_s > server.deadline_s:
                outcome.expired += 1
            else:
                outcome.latencies_s.append(latency_s + server.overhead_s)
        self._last = len(self._batch)
        self._text_s += 0.2 * ((now_s - self._began_s) / self._last - self._text_s)
        self._batch = []

    def _expire(self, now_s: float) -> None:
        """All have the same deadline, so that the oldest goes first."""
        while self._queue and now_s - self._queue[0] >= self._server.deadline_s:
            self._queue.popleft()
            self._outcome.expired += 1


def at_random(requests: np.ndarray, draw: random.Random) -> int:
    """Any replica."""
    return draw.randrange(len(requests))


def of_two(requests: np.ndarray, draw: random.Random) -> int:
    """The less busy one of two (Mitzenmacher 2001, "The power of two choices in randomized load balancing")."""
    one, other = draw.randrange(len(requests)), draw.randrange(len(requests))
    return one if requests[one] <= requests[other] else other


def least(requests: np.ndarray, draw: random.Random) -> int:
    """The least busy one of all."""
    return int(requests.argmin())


def simulate(
    server: Server, arrivals_s: Iterable[float], *, replicas: int = 1, choose: Choose = at_random, seed: int = 0
) -> Outcome:
    """What becomes of requests that come at these moments, ascending; all are seen to their end."""
    outcome, draw, order = Outcome(), random.Random(seed), count()
    crowd = [Replica(server, outcome) for _ in range(replicas)]
    requests = np.zeros(replicas, dtype=np.int64)
    events: list[tuple[float, int, int]] = []

    def go_on(place: int, now_s: float) -> None:
        look_s = crowd[place].next_s(now_s)
        if look_s is not None:
            heapq.heappush(events, (look_s, next(order), place))
        requests[place] = crowd[place].requests

    def until(moment_s: float) -> None:
        while events and events[0][0] <= moment_s:
            now_s, _, place = heapq.heappop(events)
            crowd[place].end_batch(now_s)
            go_on(place, now_s)

    for arrived_s in arrivals_s:
        until(arrived_s)
        place = choose(requests, draw)
        crowd[place].arrive(arrived_s)
        go_on(place, arrived_s)
    until(math.inf)
    return outcome


def mean_wait_s(rate: float, mean_s: float, variance_s2: float = 0.0) -> float:
    """Of M/G/1 (Pollaczek-Khinchine): seconds that a request waits on average before it is served."""
    return rate * (mean_s**2 + variance_s2) / (2 * (1 - rate * mean_s))
