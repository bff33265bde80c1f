"""Explanations over HTTP: right, bounded, and never before predictions that wait."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tuneloop.serve import explaining

TEXT = "ab c ab d"


def explain(live, **body):
    return live.ask("POST", "/v1/explain", {"text": TEXT} | body)


def test_each_word_gets_its_share_and_the_shares_add_up(start):
    live = start()
    for method in ("shapley", "occlusion"):
        reply = explain(live, method=method)
        found = reply.body
        assert reply.status == 200 and found["release"] == "m-1" and found["label"] == "even"
        assert [unit["text"] for unit in found["units"]] == TEXT.split()
    shares = sum(unit["value"] for unit in explain(live).body["units"])
    assert shares == pytest.approx(1 - 1 / 10, abs=1e-6)  # the fake model is sure of "even" as a text grows
    odd = explain(live, target="odd", scale="log_odds").body
    assert odd["label"] == "odd" and sum(unit["value"] for unit in odd["units"]) < 0
    assert [unit["text"] for unit in explain(live, unit="character").body["units"]] == list("abcabd")


def test_what_does_not_fit_is_refused(start, tiny_writer):
    live = start(max_text_chars=100)
    for body, status in (
        ({"method": "integrated_gradients"}, 404),
        ({"method": "random"}, 404),
        ({"target": "evn"}, 422),
        ({"pair": "b"}, 422),
        ({"answers": 100_000}, 422),
        ({"more": 1}, 422),
        ({"text": " "}, 422),
        ({"text": "a" * 101}, 413),
    ):
        assert explain(live, **body).status == status, body
    assert live.ask("POST", "/v1/explain", b"{").status == 400
    reply = live.ask("POST", "/v1/explain", {"text": " "}, Accept_Language="zh-CN")
    assert reply.body["detail"] == "文本里没有词。"
    writes = explain(start(writer=tiny_writer))
    assert writes.status == 422 and "generation" in writes.body["detail"]


def test_an_explanation_takes_no_more_answers_than_it_may(start, monkeypatch):
    live = start()
    long = " ".join("abcdefghijklmnop")
    found = explain(live, text=long, answers=64).body
    assert found["asked"] <= 64 and found["error_kind"] == "exact"
    assert found["details"] == {"together": 3} and found["units"][0]["text"] == "a b c"
    assert len(live.model.computed) <= 66
    monkeypatch.setattr(explaining, "MOST_ANSWERS", 10)
    reply = explain(live, text=long)
    assert reply.status == 422 and "more than 10 answers" in reply.body["detail"]


def test_a_prediction_waits_for_a_portion_and_not_for_the_whole_explanation(start, monkeypatch):
    monkeypatch.setattr(explaining, "PORTION", 2)
    live = start()
    live.model.open_gate.clear()
    with ThreadPoolExecutor(2) as pool:
        explained = pool.submit(explain, live)
        live.until_computing()
        predicted = pool.submit(live.predict, "urgent")
        live.until(lambda: live.waiting == 1)
        live.model.open_gate.set()
        assert predicted.result().status == explained.result().status == 200
    place = live.model.computed.index("urgent")
    assert place < 4 < len(live.model.computed)


def test_when_nobody_waits_any_more_nothing_more_is_asked(start, monkeypatch):
    monkeypatch.setattr(explaining, "PORTION", 2)
    live = start()
    live.model.open_gate.clear()
    reply = live.ask("POST", "/v1/explain", {"text": TEXT}, X_Deadline_Ms="50")
    assert reply.status == 504
    live.model.open_gate.set()
    live.until(lambda: live.server.service.explaining._threads._work_queue.empty() and live.waiting == 0)
    assert live.predict("b").status == 200
    assert len(live.model.computed) <= 6


def test_no_more_wait_than_fit(start, monkeypatch):
    monkeypatch.setattr(explaining, "MOST_WAITING", 1)
    live = start()
    live.model.open_gate.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(explain, live)
        live.until_computing()
        reply = explain(live)
        live.model.open_gate.set()
        assert first.result().status == 200
    assert reply.status == 429 and reply.headers["retry-after"] == "1"


def test_an_explanation_is_of_one_release(start, monkeypatch):
    monkeypatch.setattr(explaining, "PORTION", 2)
    live = start()
    live.model.open_gate.clear()
    with ThreadPoolExecutor(1) as pool:
        explained = pool.submit(explain, live)
        live.until_computing()
        assert live.ask("POST", "/v1/models/m-2/activate").status == 200
        live.models["m-1"].open_gate.set()
        assert explained.result().status == 409


def test_the_server_ends_while_explanations_run(start, monkeypatch):
    monkeypatch.setattr(explaining, "PORTION", 2)
    live = start()
    live.model.open_gate.clear()
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(explain, live) for _ in range(2)]
        given_up = live.ask("POST", "/v1/explain", {"text": TEXT}, X_Deadline_Ms="50")
        live.until_computing()
        live.server.should_exit = True
        live.until(lambda: live.server.service.state == "draining")
        live.stop()  # fails if the server does not end
        assert given_up.status == 504 and {each.result().status for each in waiting} == {200}
    assert live.model.closed
