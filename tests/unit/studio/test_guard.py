"""Who may come to the studio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest

from tuneloop.serve.security import Guard
from tuneloop.studio.guard import SESSION, StudioGuard

KEY = "k" * 40


async def _app(scope: Any, receive: Any, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"inside"})


def _asked(
    *, kind: str = "http", method: str = "GET", path: str = "/data", key: str | None = None, address: str = "127.0.0.1",
    body: bytes = b"", **headers: str,
) -> list[MutableMapping[str, Any]]:  # fmt: skip
    guarded = StudioGuard(_app, guard=Guard(host=address, api_key=key), api_key=key)
    told: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        told.append(message)

    given = {"host": "127.0.0.1:8090", **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": kind, "method": method, "path": path, "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip
    asyncio.run(guarded(scope, receive, send))
    return told


def _status(told: list[MutableMapping[str, Any]]) -> Any:
    return told[0].get("status", told[0]["type"])


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"origin": "http://127.0.0.1:8090"}, True),
        ({"host": "localhost:8090"}, True),
        ({"host": "evil.example"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"host": "evil.example", "origin": "http://evil.example"}, False),
    ],
)
def test_only_pages_of_this_machine_come_in(kind: str, headers: dict[str, str], allowed: bool) -> None:
    expected = {"http": (200, 403), "websocket": ("websocket.accept", "websocket.close")}[kind]
    assert _status(_asked(kind=kind, **headers)) == expected[0 if allowed else 1]


def test_off_localhost_nothing_is_shown_without_a_session() -> None:
    away: dict[str, Any] = {"key": KEY, "address": "0.0.0.0"}
    told = _asked(**away)
    assert (_status(told), dict(told[0]["headers"])[b"location"]) == (303, b"/login")
    assert _status(_asked(kind="websocket", **away)) == "websocket.close"
    assert _status(_asked(method="POST", **away)) == 401
    assert _status(_asked(cookie=f"{SESSION}=9999999999.{'0' * 64}", **away)) == 303


def test_the_key_opens_a_session_that_other_keys_do_not_know() -> None:
    away: dict[str, Any] = {"key": KEY, "address": "0.0.0.0"}
    assert _status(_asked(method="POST", path="/login", body=b"key=wrong", **away)) == 401
    told = _asked(method="POST", path="/login", body=f"key={KEY}".encode(), **away)
    session = dict(told[0]["headers"])[b"set-cookie"].decode()
    assert "HttpOnly; SameSite=Strict" in session
    cookie = session.partition(";")[0]
    assert _status(_asked(cookie=cookie, **away)) == 200
    assert _status(_asked(cookie=cookie, key="j" * 40, address="0.0.0.0")) == 303
    until, _, signature = cookie.partition("=")[2].partition(".")
    assert _status(_asked(cookie=f"{SESSION}={int(until) + 1}.{signature}", **away)) == 303
    assert _status(_asked(cookie=cookie, origin="http://evil.example", **away)) == 403


def test_a_page_may_load_nothing_from_elsewhere() -> None:
    headers = dict(_asked()[0]["headers"])
    assert b"default-src 'self'" in headers[b"content-security-policy"]
    assert headers[b"x-content-type-options"] == b"nosniff"


def test_a_body_without_end_is_refused() -> None:
    assert _status(_asked(method="POST", content_length=str(1 << 40))) == 413
