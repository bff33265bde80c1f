"""Asking a server from inside its own process, as a client would from outside: same queue, limits, events, canary."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI


@dataclass(frozen=True)
class Answer:
    """What a route of the server said.

    Args:
        body: the JSON of the answer.
        request: its name, to which `.0` is added for feedback on the first text; "" where no events are kept.
    """

    body: dict[str, Any]
    request: str


async def ask(server: FastAPI, path: str, body: Mapping[str, Any], *, session: str = "") -> Answer:
    """What `path` answers to `body`.

    Args:
        server: as `tuneloop.serve` hands it to `around`.
        path: such as "/v1/predict".
        session: requests with the same one are answered by one release while another is being tried.

    Raises:
        Problem: what the route refuses; raised on, the client of your own route is told the same.
    """
    from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware

    content = json.dumps(body, ensure_ascii=False).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    headers += [(b"x-session", session.encode())] if session else []
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
        "client": None, "server": None, "app": server,
    }  # fmt: skip
    given = [{"type": "http.request", "body": content, "more_body": False}]
    told: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not given:
            await asyncio.Event().wait()  # whoever asks inside never hangs up
        return given.pop()

    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    # without the server's own gate: whoever asks has passed it on the way to the route that asks
    await AsyncExitStackMiddleware(server.router)(scope, receive, send)  # type: ignore[arg-type]
    names = {name.lower(): value for message in told for name, value in message.get("headers", [])}
    body_bytes = b"".join(message.get("body", b"") for message in told)
    return Answer(json.loads(body_bytes), names.get(b"x-request-id", b"").decode())
