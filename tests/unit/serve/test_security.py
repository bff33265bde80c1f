"""Denied unless allowed."""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path

import pytest

from tuneloop.core.deployment import ServeConfig
from tuneloop.core.errors import ServeError
from tuneloop.core.paths import Workspace
from tuneloop.serve import serve
from tuneloop.serve.app import create_app
from tuneloop.serve.security import Guard, find_api_key

KEY = "k" * 32


def everything_mounted(app) -> set[tuple[str, str]]:
    """(method, path) of every route, however deep it lies."""
    found, waiting = set(), [(app, "")]
    while waiting:
        node, prefix = waiting.pop()
        path = prefix + getattr(node, "path", "")
        waiting += [(each, path) for each in getattr(node, "routes", None) or []]
        if hasattr(node, "endpoint"):
            found |= {(method, path) for method in getattr(node, "methods", None) or {"WEBSOCKET"}}
    return found


def test_every_route_but_healthz_wants_the_key(start):
    live = start(api_key=KEY)
    routes = everything_mounted(live.server.config.app)
    described = {
        (method.upper(), path)
        for path, methods in live.server.config.app.openapi()["paths"].items()
        for method in methods
    }
    assert described <= routes and len(routes) >= 9
    for method, path in routes:
        path = path.replace("{release}", "m-2")
        for headers in ({}, {"Authorization": "Bearer " + "x" * 32}, {"Authorization": "Basic " + KEY}):
            assert live.ask(method, path, **headers).status == (200 if path == "/healthz" else 401), (method, path)
        assert live.ask(method, path, Authorization=f"Bearer {KEY}").status != 401
    assert live.ask("GET", "/nowhere").status == 401
    assert live.ask("GET", "/healthz/../v1/models").status == 401
    assert live.ask("GET", "/v1/models").headers["www-authenticate"] == "Bearer"


def test_on_localhost_a_foreign_host_or_origin_is_403(start):
    live = start()
    address = live.url.removeprefix("http://")
    for host in ("evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", ""):
        assert live.ask("GET", "/healthz", Host=host).status == 403, host
    for host in ("localhost", "LOCALHOST:1234", "127.0.0.1", "[::1]:80", address):
        assert live.ask("GET", "/healthz", Host=host).status == 200, host
    for origin in ("http://evil.example", "null", "http://localhost:1", "file://", f"http://{address}.evil.example"):
        assert live.predict("a", Origin=origin).status == 403, origin
    allowed = live.predict("a", Origin=live.url)
    assert allowed.status == 200 and "access-control-allow-origin" not in allowed.headers
    assert live.model.computed == ["a"]


def test_a_websocket_is_refused(start):
    live = start()
    sent = []

    async def ask() -> None:
        async def send(message):
            sent.append(message)

        await live.server.config.app({"type": "websocket", "path": "/", "headers": []}, None, send)

    asyncio.run(ask())
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_without_a_key_the_server_does_not_start_where_others_can_reach_it(tmp_path, monkeypatch):
    monkeypatch.delenv("TUNELOOP_API_KEY", raising=False)
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(ServeError, match="TUNELOOP_API_KEY"):
            create_app("m-1", workspace=Workspace(tmp_path), config=ServeConfig(host=host))
    with pytest.raises(ServeError, match="shorter than 32"):
        Guard(host="127.0.0.1", api_key="short")
    assert Guard(host="127.1.2.3", api_key=None).local


def test_the_key_comes_from_the_environment_or_a_file(tmp_path: Path, monkeypatch):
    file = tmp_path / "key"
    file.write_text(KEY + "\n", encoding="utf-8")
    monkeypatch.setenv("TUNELOOP_API_KEY_FILE", str(file))
    assert find_api_key() == KEY
    monkeypatch.setenv("TUNELOOP_API_KEY", "other")
    assert (find_api_key(), find_api_key("given")) == ("other", "given")
    monkeypatch.delenv("TUNELOOP_API_KEY")
    file.unlink()
    with pytest.raises(ServeError, match="key"):
        find_api_key()


def test_an_unknown_release_is_an_error_before_anything_listens(tmp_path):
    with pytest.raises(Exception, match="There is no release m-1"):
        serve("m-1", workspace=Workspace(tmp_path), config=ServeConfig(port=0))


def test_no_text_and_no_key_is_logged_or_counted(start, caplog):
    caplog.set_level(logging.DEBUG)
    live = start(api_key=KEY)
    live.predict("secret poison", Authorization=f"Bearer {KEY}")
    live.ask("POST", "/v1/predict", b'{"secret', Authorization=f"Bearer {KEY}")
    live.ask("GET", "/secret?secret", Authorization="Bearer secret")
    figures = live.ask("GET", "/metrics", Authorization=f"Bearer {KEY}").body.decode()
    assert "failed on a text" in caplog.text
    for shown in (caplog.text, figures):
        assert not re.search(f"secret|{KEY}", shown)
