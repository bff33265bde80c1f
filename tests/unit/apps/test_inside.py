"""Asking a server from inside, and pages of applications."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from pathlib import Path

import pytest
from fastapi import FastAPI, Request

from tuneloop.apps import add_page, ask
from tuneloop.serve.problems import Problem


def _server() -> FastAPI:
    server = FastAPI()

    @server.post("/v1/echo")
    async def echo(request: Request) -> dict[str, object]:
        body = await request.json()
        if body.get("wrong"):
            raise Problem(422, "It is wrong.", "Make it right.")
        return {"got": body, "session": request.headers.get("x-session", "")}

    return server


def test_what_is_asked_inside_is_answered_as_outside() -> None:
    answer = asyncio.run(ask(_server(), "/v1/echo", {"text": '雨 " </script>'}, session="one"))
    assert answer.body == {"got": {"text": '雨 " </script>'}, "session": "one"}
    assert answer.request == ""


def test_what_the_route_refuses_is_raised_on() -> None:
    with pytest.raises(Problem, match="It is wrong"):
        asyncio.run(ask(_server(), "/v1/echo", {"wrong": True}))


def test_a_page_runs_its_own_script_and_no_other(tmp_path: Path) -> None:
    from fastapi.testclient import TestClient

    script = tmp_path / "page.js"
    script.write_text("main.append(el('p', {}, say({en: 'Hello', zh: '你好'})));", encoding="utf-8")
    server = FastAPI()
    add_page(server, script, title="<b>Desk</b>")
    told = TestClient(server).get("/")
    code = re.search(r"<script>(.*)</script>", told.text, re.DOTALL)
    assert code is not None
    digest = base64.b64encode(hashlib.sha256(code[1].encode()).digest()).decode()
    policy = told.headers["content-security-policy"]
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "<title>&lt;b&gt;Desk&lt;/b&gt;</title>" in told.text
