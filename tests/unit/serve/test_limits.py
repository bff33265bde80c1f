"""Too much, too late, too slow: refused early, and forgotten at once."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from benchmarks.load import closed_loop


def test_a_full_queue_is_answered_429_with_retry_after_and_recovers(start):
    live = start(max_queue=4)
    live.model.open_gate.clear()
    with ThreadPoolExecutor(8) as pool:
        accepted = [pool.submit(live.predict, "first")]
        live.until_computing()
        accepted += [pool.submit(live.predict, f"text {number}") for number in range(4)]
        live.until(lambda: live.waiting == 4)
        refused = [live.predict(f"more {number}") for number in range(5)]
        live.model.open_gate.set()
        assert {future.result().status for future in accepted} == {200}
    assert {reply.status for reply in refused} == {429}
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
    assert not any("more" in text for text in live.model.computed)
    assert live.predict("again").status == 200 and live.waiting == 0


def test_what_would_wait_too_long_for_its_deadline_is_refused_at_once(start):
    live = start(deadline_s=10)
    live.model.open_gate.clear()
    with ThreadPoolExecutor(4) as pool:
        accepted = [pool.submit(live.predict, "first")]
        live.until_computing()
        live.server.service.batcher._text_s = 3.0  # what a slow model has taught it
        for number in (1, 2):
            accepted.append(pool.submit(live.predict, f"text {number}"))
            live.until(lambda number=number: live.waiting == number)
        refused = live.predict("one more")
        live.model.open_gate.set()
        assert {future.result().status for future in accepted} == {200}
    assert refused.status == 429 and int(refused.headers["retry-after"]) >= 6
    assert "one more" not in live.model.computed


def test_more_texts_than_the_queue_holds_are_too_large_however_empty_it_is(start):
    live = start(max_queue=4)
    assert live.ask("POST", "/v1/predict", {"texts": ["a"] * 5}).status == 413


def test_a_late_request_is_answered_504_and_never_computed(start):
    live = start()
    live.model.open_gate.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(live.predict, "first")
        live.until_computing()
        late = live.predict("late", X_Deadline_Ms="30")
        assert (late.status, live.waiting) == (504, 0)
        live.model.open_gate.set()
        assert first.result().status == 200
    assert live.predict("next").status == 200
    assert live.model.computed == ["first", "next"]
    assert live.counter("tuneloop_texts_dropped_total", reason="deadline") == 1


def test_a_request_may_not_wait_longer_than_the_server_allows(start):
    live = start(deadline_s=0.05)
    live.model.open_gate.clear()
    assert live.predict("slow", X_Deadline_Ms="60000").status == 504
    for wrong in ("0", "-1", "nan", "soon"):
        assert live.predict("a", X_Deadline_Ms=wrong).status == 422


def test_nothing_is_computed_for_a_client_that_has_gone(start, caplog):
    live = start()
    live.model.open_gate.clear()
    place = urlsplit(live.url)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(live.predict, "first")
        live.until_computing()
        with socket.create_connection((place.hostname, place.port)) as client:
            client.sendall(
                b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15\r\n\r\n" + b'{"text":"gone"}'
            )
            live.until(lambda: live.waiting == 1)
        live.until(lambda: live.waiting == 0)
        live.model.open_gate.set()
        assert first.result().status == 200
    assert live.predict("next").status == 200
    assert live.model.computed == ["first", "next"]
    assert live.counter("tuneloop_texts_dropped_total", reason="client_gone") == 1
    assert live.counter("tuneloop_requests_total", route="/v1/predict", status="499") == 1
    assert not caplog.records


def test_a_body_over_the_limit_is_413_whether_announced_or_streamed(start):
    live = start(max_body_bytes=2048)
    just_fits = b'{"text":"' + b"a" * (2048 - 11) + b'"}'
    assert live.ask("POST", "/v1/predict", just_fits).status == 200
    assert live.ask("POST", "/v1/predict", iter([just_fits])).status == 200
    assert live.ask("POST", "/v1/predict", just_fits + b" ").status == 413
    assert live.ask("POST", "/v1/predict", iter([just_fits, b" "])).status == 413
    assert live.ask("POST", "/v1/models/m-2/activate", b" " * 4000).status == 413
    assert live.model.computed == ["a" * 2037] * 2


@pytest.mark.parametrize("head", [b"Content-Length: 900000000", b"Transfer-Encoding: chunked"])
def test_a_huge_body_is_refused_before_it_is_sent(start, head):
    live = start(max_body_bytes=1024)
    place = urlsplit(live.url)
    with socket.create_connection((place.hostname, place.port), timeout=20) as client:
        client.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n")
        client.sendall(b"7d0\r\n" + b"a" * 2000)
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("begun", [b'{"te', b""])
def test_a_body_that_does_not_come_is_408(start, begun):
    live = start(deadline_s=0.05)
    place = urlsplit(live.url)
    with socket.create_connection((place.hostname, place.port), timeout=20) as client:
        client.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15\r\n\r\n" + begun)
        assert client.recv(100).startswith(b"HTTP/1.1 408 ")


def test_counters_equal_what_the_clients_counted(start):
    live = start(max_queue=8)
    good = asyncio.run(closed_loop(live.url + "/v1/predict", [b'{"text":"a"}'], clients=32, requests=1500))
    wrong = asyncio.run(closed_loop(live.url + "/v1/predict", [b'{"text":1}'], clients=4, requests=100))
    assert sum(good.statuses.values()) == 1500 and good.statuses[200] > 0 and good.statuses[429] > 0
    assert wrong.statuses == {422: 100}
    for status in (200, 429, 422):
        counted = live.counter("tuneloop_requests_total", route="/v1/predict", status=str(status))
        assert counted == (good.statuses + wrong.statuses)[status]
    assert live.counter("tuneloop_texts_total", release="m-1") == good.statuses[200]
    page = live.ask("GET", "/metrics").body.decode()
    assert f'tuneloop_requests_total{{route="/v1/predict",status="200"}} {good.statuses[200]}.0' in page
