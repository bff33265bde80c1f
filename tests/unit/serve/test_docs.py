"""The description of the server, without a network."""

from __future__ import annotations

import re


def test_the_docs_page_loads_nothing_from_anywhere(start):
    live = start()
    reply = live.ask("GET", "/docs")
    page = reply.body.decode()
    assert reply.status == 200
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    assert not re.search(r"<(script|link|img|iframe)|@import|url\(", page)
    assert set(re.findall(r"(?:https?:)?//[\w.:-]+", page)) <= {"http://127.0.0.1:8000"}
    for path in (
        "/v1/predict",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/models",
        "/healthz",
        "/readyz",
        "/metrics",
    ):
        assert path in page
    assert "probabilities" in page and "curl -X POST" in page
    assert "请求体" in live.ask("GET", "/docs", Accept_Language="zh-CN").body.decode()


def test_openapi_describes_bodies_answers_and_problems(start):
    document = start().ask("GET", "/openapi.json").body
    operation = document["paths"]["/v1/predict"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"]["properties"].keys() == {
        "text", "pair", "texts", "messages", "tags", "release", "image", "audio", "tabular",
    }  # fmt: skip
    assert {"200", "400", "401", "413", "422", "429", "503", "504"} <= operation["responses"].keys()
    for name in re.findall(r'"#/components/schemas/(\w+)"', str(document).replace("'", '"')):
        assert name in document["components"]["schemas"]
    assert "$defs" not in str(document)
