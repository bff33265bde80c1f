"""How many requests a client may make in a while."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from tuneloop.core.deployment import UNITS_S
from tuneloop.core.i18n import t
from tuneloop.serve.problems import Problem

RECOUNT = "tuneloop.recount"
"""Where a connection's scope has what counts its request as several."""

MOST_CLIENTS = 50_000
"""Clients that are remembered; those that have not asked for longest are forgotten first."""


class RateLimit:
    """A moving window for each client: at most so many requests in any stretch of its length.

    A fixed window would let twice as many through around its border.

    Args:
        rate: such as 60/minute.
        clock: seconds that never go back.
    """

    def __init__(self, rate: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        count, _, unit = rate.partition("/")
        self._most, self._window_s = int(count), UNITS_S[unit]
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def recount(self, client: str, count: int) -> None:
        """Count a request that was counted once as several, or as the whole share if that is less.

        Raises:
            Problem: 429 as `check`; then it is not counted at all.
        """
        times = self._times.get(client)
        if times:
            times.pop()
        self.check(client, count)

    def check(self, client: str, count: int = 1) -> None:
        """Count a request, or what takes as much as several.

        Raises:
            Problem: 429 with Retry-After if the client has made its share; such a request is not counted.
        """
        now_s = self._clock()
        times = self._times.setdefault(client, deque())
        self._times.move_to_end(client)
        while times and times[0] <= now_s - self._window_s:
            times.popleft()
        count = min(count, self._most)
        over = len(times) + count - self._most
        if over > 0:
            wait_s = max(1, math.ceil(times[over - 1] + self._window_s - now_s))
            raise Problem(
                429, t("More than {count} requests within {seconds} s came from you.", count=self._most,
                       seconds=self._window_s),
                t("Send the request again in {seconds} s.", seconds=wait_s), headers={"Retry-After": str(wait_s)},
            )  # fmt: skip
        times.extend([now_s] * count)
        if len(self._times) > MOST_CLIENTS:
            self._times.popitem(last=False)


def client_of(address: tuple[str, int] | None) -> str:
    """Who asks, by the address of the connection: the server knows one key, so that it tells no clients apart.

    One machine has a whole IPv6 network of 64 bits, and counts as one client.
    """
    host = address[0] if address else ""
    try:
        number = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    mapped = number.ipv4_mapped if number.version == 6 else None  # how an IPv6 socket names a client of IPv4
    if mapped is not None or number.version == 4:
        return str(mapped or number)
    return str(ipaddress.ip_network((number, 64), strict=False))
