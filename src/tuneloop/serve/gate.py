"""Around everything: who may ask, how much, in which language; every response is counted.

A pure ASGI middleware, so that no route, mount or websocket that is ever added can slip past it.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

from tuneloop.core.i18n import t, use_language
from tuneloop.serve.problems import CONTENT_TYPE, Problem, preferred_language
from tuneloop.serve.rate import RECOUNT, RateLimit, client_of
from tuneloop.serve.requests import ClientGone
from tuneloop.serve.security import Guard
from tuneloop.serve.service import Service, State

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

logger = logging.getLogger("tuneloop.serve")

OPENAI_ROUTES = frozenset({"/v1/chat/completions", "/v1/completions"})
"""Where problems are told as OpenAI's interface tells them."""

ROUTES = OPENAI_ROUTES | {
    "/v1/predict", "/v1/ask", "/v1/explain", "/v1/feedback", "/v1/events", "/v1/models", "/healthz", "/readyz",
    "/metrics", "/openapi.json", "/docs",
}  # fmt: skip

CLIENT_GONE = 499
"""What is counted where nobody was left to answer; nginx's number."""


class Gate:
    """Lets a request through to `app`, or answers with a problem.

    Args:
        app: what is guarded.
        guard: who may ask.
        service: its limits, its state and its counters.
    """

    def __init__(self, app: App, *, guard: Guard, service: Service) -> None:
        self._app = app
        self._guard = guard
        self._service = service
        self._max_body_bytes = service.config.max_body_bytes
        self._rate = RateLimit(service.config.rate) if service.config.rate else None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One connection of any kind."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        headers: dict[bytes, bytes] = dict(scope["headers"])
        use_language(preferred_language(headers.get(b"accept-language", b"en").decode("latin-1")))
        started = False

        async def counted(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._service.batcher.meter.answered(_route(path), message["status"])
                if self._service.state is State.DRAINING:
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        try:
            self._guard.check(path, headers)
            self._count(scope)
            limited = limit_body(receive, headers, self._max_body_bytes)
            await self._app(scope, limited, counted)
        except Problem as problem:
            if not started:
                await send_problem(problem, counted, path)
        except ClientGone:
            if not started:  # of a stream that has begun, its status is counted already
                self._service.batcher.meter.answered(_route(path), CLIENT_GONE)
        except Exception as error:
            # the message of the exception might quote a text: where it happened is enough
            frames = "".join(traceback.format_tb(error.__traceback__))
            logger.error("%s in %s\n%s", type(error).__name__, _route(path), frames)
            if not started:
                await send_problem(Problem(500, t("The server failed on this request.")), counted, path)

    def _count(self, scope: MutableMapping[str, Any]) -> None:
        """Count what gives the model work; figures and states may be asked for at any time.

        Raises:
            Problem: 429 if the client asks too often.
        """
        if self._rate is None or scope["method"] != "POST":
            return
        try:
            self._rate.check(client_of(scope.get("client")))
        except Problem:
            self._service.batcher.meter.refused("rate")
            raise
        scope[RECOUNT] = partial(self._recount, self._rate, client_of(scope.get("client")))

    def _recount(self, rate: RateLimit, client: str, count: int) -> None:
        """What a route calls when it knows how many requests its work is worth."""
        try:
            rate.recount(client, count)
        except Problem:
            self._service.batcher.meter.refused("rate")
            raise


async def send_problem(problem: Problem, send: Send, path: str) -> None:
    """Answer with a problem; an unread body makes the connection useless, so it is closed then."""
    plain = path in OPENAI_ROUTES
    body, kind = (problem.openai_body(), "application/json") if plain else (problem.body(), CONTENT_TYPE)
    headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    headers += [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    if problem.status == 413:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def limit_body(receive: Receive, headers: dict[bytes, bytes], limit: int) -> Receive:
    """`receive` that gives at most `limit` bytes, by the announced length or by counting."""
    announced = headers.get(b"content-length")
    if announced is not None and announced.isdigit():
        if int(announced) > limit:
            raise _too_large(limit)
        return receive  # the HTTP parser holds the client to its word
    read = 0

    async def counting() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise _too_large(limit)
        return message

    return counting


def _too_large(limit: int) -> Problem:
    return Problem(
        413, t("The body is larger than {limit} bytes.", limit=limit), t("Send the texts in several requests.")
    )


def _route(path: str) -> str:
    """A path as a label: few values, whatever clients ask for."""
    if path in ROUTES:
        return path
    return "/v1/models/{release}/activate" if path.startswith("/v1/models/") else "other"
