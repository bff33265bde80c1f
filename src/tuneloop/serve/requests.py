"""Reading a request, and noticing that nobody waits for its answer any more."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping
from typing import Any, TypeVar

from tuneloop.core.i18n import t
from tuneloop.serve.problems import Problem

T = TypeVar("T")
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientGone(Exception):
    """The client closed the connection before it had its answer."""


async def read_body(receive: Receive, timeout_s: float) -> bytes:
    """The whole body.

    Raises:
        Problem: 408 if it takes longer than `timeout_s`.
        ClientGone: if the client goes away meanwhile.
    """
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(timeout_s):
            while (message := await receive())["type"] == "http.request":
                parts.append(message.get("body", b""))
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError:
        raise Problem(
            408, t("The body did not arrive within {seconds:g} s.", seconds=timeout_s), t("Send it at once.")
        ) from None
    raise ClientGone


async def unless_gone(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """The result of `work`, which is cancelled when the client goes away.

    Raises:
        ClientGone: if it went.
    """
    waiting = asyncio.current_task()
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        if waiting is not None:
            waiting.cancel()

    watcher = asyncio.ensure_future(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if gone and waiting is not None:
            waiting.uncancel()
            raise ClientGone from None
        raise
    finally:
        watcher.cancel()


def deadline_of(headers: Mapping[str, str], limit_s: float) -> float:
    """Seconds until the answer is of no use: X-Deadline-Ms, but never more than `limit_s`.

    Raises:
        Problem: 422 if the header is not a positive number.
    """
    given = headers.get("x-deadline-ms")
    if given is None:
        return limit_s
    try:
        wanted_s = float(given) / 1000
    except ValueError:
        wanted_s = math.nan
    if not wanted_s > 0:
        raise Problem(
            422, t("The header X-Deadline-Ms must be a positive number."), t("Send milliseconds, such as 500.")
        )
    return min(wanted_s, limit_s)
