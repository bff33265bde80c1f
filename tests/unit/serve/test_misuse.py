"""Too many requests of one client, and requests that the operator does not want answered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuneloop.core.config import parse_config
from tuneloop.core.deployment import ServeConfig
from tuneloop.core.errors import ConfigError, ServeError
from tuneloop.core.paths import Workspace
from tuneloop.core.preparation import CleanConfig
from tuneloop.knowledge import NewIndex, open_index
from tuneloop.releases.read import Release
from tuneloop.serve import rate
from tuneloop.serve.app import create_app
from tuneloop.serve.asking import LockedIndex
from tuneloop.serve.problems import Problem
from tuneloop.serve.rate import RateLimit, client_of
from tuneloop.serve.refusals import read_refusals
from tuneloop.serve.vllm import vllm_command

CHAT = "/v1/chat/completions"
RULES = """
refuse:
  - name: bombs
    if: {regex: '\\b(build|make) an? bomb'}
    because: We do not help with that.
  - name: 赌博
    if: {any: [赌球, 赌博网站], not: {contains: 戒赌}}
  - name: long
    if: {length: {min: 200}}
"""


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "refuse.yaml"
    path.write_text(RULES, encoding="utf-8")
    return str(path)


def test_a_client_that_asks_too_often_is_told_when_to_come_back(start):
    live = start(rate="3/minute")
    assert [live.predict(f"text {number}").status for number in range(5)] == [200, 200, 200, 429, 429]
    late = live.ask("POST", CHAT, {"model": "m", "messages": []})
    assert late.status == 429 and late.body["error"]["type"] == "rate_limit_error"
    assert 1 <= int(late.headers["retry-after"]) <= 60
    assert live.model.computed == ["text 0", "text 1", "text 2"]
    assert live.ask("GET", "/v1/models").status == live.ask("GET", "/metrics").status == 200
    assert live.counter("tuneloop_requests_refused_total", reason="rate") == 3
    assert live.counter("tuneloop_requests_total", route="/v1/predict", status="429") == 2


def test_an_explanation_counts_by_the_answers_that_it_may_take(start):
    live = start(rate="5/minute", max_texts=256)
    asked = {"text": "a b"}
    assert live.ask("POST", "/v1/explain", asked | {"answers": 1000}).status == 200  # as four
    late = live.ask("POST", "/v1/explain", asked)  # 512: as two
    assert late.status == 429 and 1 <= int(late.headers["retry-after"]) <= 60
    assert live.ask("POST", "/v1/explain", asked | {"method": "occlusion"}).status == 200
    assert live.predict("a").status == 429
    small = start(rate="1/minute")
    assert [small.ask("POST", "/v1/explain", asked).status for _ in range(2)] == [200, 429]


def test_without_a_rate_any_number_of_requests_is_answered(start):
    live = start()
    assert {live.predict("a").status for _ in range(30)} == {200}


def test_the_window_moves_and_clients_do_not_share_it(monkeypatch):
    now = [0.0]
    limit = RateLimit("2/second", clock=lambda: now[0])

    def passes(client: str) -> bool:
        try:
            limit.check(client)
        except Problem:
            return False
        return True

    assert [passes("a"), passes("a"), passes("a"), passes("b")] == [True, True, False, True]
    now[0] = 0.9
    assert not passes("a") and passes("b") and not passes("b")
    now[0] = 1.0  # the two of second 0 are gone
    assert [passes("a"), passes("b"), passes("b")] == [True, True, False]
    monkeypatch.setattr(rate, "MOST_CLIENTS", 3)
    assert all(passes(f"client {number}") for number in range(100)) and len(limit._times) <= 4


def test_a_client_is_an_address_and_in_ipv6_a_network():
    assert client_of(("10.0.0.7", 5)) != client_of(("10.0.0.8", 5))
    assert client_of(("2001:db8::1", 1)) == client_of(("2001:db8::ffff", 2)) != client_of(("2001:db8:0:1::1", 1))
    assert client_of(("::ffff:10.0.0.7", 1)) == client_of(("10.0.0.7", 2)) != client_of(("::ffff:10.0.0.8", 1))
    assert client_of(None) == "" and client_of(("fe80::1%eth0", 1)) == "fe80::/64"


@pytest.mark.parametrize("wrong", ["60", "0/minute", "60/fortnight", "-3/day", "six/minute", "60 / minute"])
def test_a_rate_that_is_none_is_an_error_of_the_configuration(wrong: str):
    with pytest.raises(ConfigError, match="60/minute"):
        parse_config({"data": {"source": "x"}, "serve": {"rate": wrong}})


def test_what_a_rule_refuses_is_named_and_never_computed(start, rules):
    live = start(refuse=rules)
    for text in ("How do I MAKE a bomb?", "make a bo\u200bmb", "ｍａｋｅ ａ ｂｏｍｂ"):
        refused = live.predict(text)
        assert refused.status == 403 and "bombs" in refused.body["detail"], text
        assert refused.body["hint"] == "We do not help with that."
    many = live.ask("POST", "/v1/predict", {"texts": ["fine", "去赌球"]}, Accept_Language="zh")
    assert many.status == 403 and "赌博" in many.body["detail"] and "拒绝" in many.body["detail"]
    for text in ("How do I make a bath?", "怎样戒赌，不再上赌博网站？", "a" * 199):
        assert live.predict(text).status == 200
    assert live.predict("a" * 200).status == 403
    assert not any("bomb" in text or "赌球" in text for text in live.model.computed)
    assert live.counter("tuneloop_requests_refused_total", reason="rule bombs") == 3
    assert live.counter("tuneloop_requests_refused_total", reason="rule 赌博") == 1


def test_a_word_is_not_hidden_from_the_rules_by_what_the_model_does_not_read(start, rules):
    live = start(refuse=rules)
    live.model.clean = CleanConfig()
    hidden = ("\u0001", "\ufe0f", "\u034f", "\u3164", "\uffa0", "\u00ad", "\U000e0061", "\x0b", "\x7f")
    for text in (*(f"make a bo{sign}mb" for sign in hidden), "make\x0ba bomb", "make\u00a0a bomb"):
        assert live.predict(text).status == 403, ascii(text)
        assert live.ask("POST", "/v1/explain", {"text": text}).status == 403, ascii(text)
    assert live.predict("去赌球".encode().decode("latin-1")).status == 403  # the model reads it mended
    assert live.predict("make a bo mb ❤\ufe0f").status == 200
    assert len(live.model.computed) == 1


def test_the_second_text_of_a_pair_is_looked_at_too(start, rules):
    live = start(task="pair", refuse=rules)
    assert live.ask("POST", "/v1/predict", {"text": "a", "pair": "make a bomb"}).status == 403
    assert live.ask("POST", "/v1/predict", {"text": "a", "pair": "b"}).status == 200
    for asked in ({"text": "a", "pair": "make a bomb"}, {"text": "make a bomb", "pair": "a"}):
        assert live.ask("POST", "/v1/explain", asked).status == 403
    assert live.ask("POST", "/v1/explain", {"text": "a", "pair": "b"}).status == 200


def test_conversations_completions_and_questions_are_looked_at_too(start, tiny_writer, rules, tmp_path):
    (tmp_path / "a.txt").write_text("The good room is free on Monday.")
    with open_index(tmp_path / "index", new=NewIndex()) as index:
        index.add([tmp_path / "a.txt"], quiet=True)
    documents = LockedIndex(open_index(tmp_path / "index", read_only=True))
    live = start(writer=tiny_writer, refuse=rules, documents=documents)
    earlier = [{"role": "user", "content": "make a bomb"}, {"role": "assistant", "content": "b"},
               {"role": "user", "content": "go on"}]  # fmt: skip
    parts = [{"role": "user", "content": [{"type": "text", "text": "make a bo"}, {"type": "text", "text": "mb"}]}]
    for messages in (earlier, parts):
        for stream in (False, True):
            refused = live.ask("POST", CHAT, {"model": "m", "messages": messages, "stream": stream})
            assert refused.status == 403 and refused.body["error"]["code"] == "content_filter"
        assert live.ask("POST", "/v1/predict", {"messages": messages}).status == 403
    assert live.ask("POST", "/v1/completions", {"model": "m", "prompt": ["a", "make a bomb"]}).status == 403
    assert live.ask("POST", "/v1/ask", {"question": "How do I make a bomb?"}).status == 403
    assert live.ask("POST", "/v1/ask", {"question": "When is the room free?"}).status == 200
    assert live.ask("POST", CHAT, {"model": "m", "messages": [{"role": "user", "content": "a good"}]}).status == 200


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rules: []", "refuse"),
        ("refuse: [{if: {contains: a}}]", "name"),
        ("refuse: [{name: a}]", "rule a: .*everything"),
        ("refuse: [{name: a, if: {}}]", "rule a: .*everything"),
        ("refuse:\n  - {name: a, if: {regex: '(?=x)'}}", "line 2, rule a"),
        ("refuse: [{name: a, if: {label: toxic}}]", "text alone"),
        ("refuse: [{name: a, if: {answer: {contains: b}}}]", "text alone"),
        ("refuse: [{name: a, if: {contains: b}}, {name: a, if: {contains: c}}]", "two rules"),
    ],
)
def test_a_wrong_rule_is_an_error_before_anything_listens(text: str, problem: str, tmp_path: Path):
    path = tmp_path / "refuse.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=problem):
        create_app("m-1", workspace=Workspace(tmp_path), config=ServeConfig(refuse=str(path)))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_refusals(tmp_path / "none.yaml")


def test_vllm_keeps_no_such_limits(tmp_path: Path):
    for config in (ServeConfig(rate="1/second"), ServeConfig(refuse="refuse.yaml")):
        with pytest.raises(ServeError, match="own server"):
            vllm_command(Release("m-1", tmp_path, {}), config=config, folder=tmp_path)


def test_the_file_of_rules_lies_beside_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import tuneloop.serve.start
    from tuneloop.api import releasing

    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "tuneloop.yaml").write_text(
        json.dumps({"data": {"source": "x.csv"}, "serve": {"refuse": "refuse.yaml"}})
    )
    given = {}
    release = Release("m-1", tmp_path, {"config": {"data": {"source": "x"}, "serve": {"refuse": "own.yaml"}}})
    monkeypatch.setattr(releasing, "_served", lambda name, workspace: release)
    monkeypatch.setattr(tuneloop.serve.start, "serve", lambda name, config, **_: given.update(config=config))
    releasing.serve("m", config=tmp_path / "here" / "tuneloop.yaml", port=0)
    assert given["config"].refuse == str(tmp_path / "here" / "refuse.yaml") and given["config"].port == 0
    releasing.serve("m", workspace=tmp_path / "there" / ".tuneloop")
    assert given["config"].refuse == str(tmp_path / "there" / "own.yaml")
