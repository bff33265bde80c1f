"""Events and feedback over HTTP: what a client was told is on the disk, once."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from tests.unit.serve.conftest import FakeHandle, answer_for
from tests.unit.serve.test_writers import said
from tuneloop.core.config import parse_config
from tuneloop.core.deployment import ServeConfig
from tuneloop.core.errors import ConfigError, ServeError, StorageError
from tuneloop.core.paths import Workspace
from tuneloop.core.watching import WatchConfig
from tuneloop.serve.app import create_app
from tuneloop.serve.server import Server, listen
from tuneloop.serve.start import serve
from tuneloop.watch.base import Event
from tuneloop.watch.sqlite_store import SqliteStore

PATH = "/v1/feedback"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "workspace" / "events.sqlite"


def kept(place: Path) -> list[Event]:
    store = SqliteStore(place)
    try:
        return list(store.events())
    finally:
        store.close()


def feed(live, event: str, key: str = "k", **body: Any):
    return live.ask("POST", PATH, {"event": event, **(body or {"label": "odd"})}, Idempotency_Key=key)


def test_every_answered_text_is_an_event_and_nothing_else_is(start, place) -> None:
    live = start(watch=WatchConfig(events="texts"), max_text_chars=100)
    texts = [f"text {number} " + "a" * (number % 7) for number in range(100)]
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(live.predict, texts))
    pair = live.ask("POST", "/v1/predict", {"texts": ["你好", "b", "你好"], "tags": {"country": "de"}})
    assert live.predict("a" * 101).status == 413 and live.predict("poison").status == 500
    live.stop()
    found = {each.id: each for each in kept(place)}
    names = [f"{reply.headers['x-request-id']}.0" for reply in replies]
    names += [f"{pair.headers['x-request-id']}.{number}" for number in range(3)]
    assert len(set(names)) == 103 and found.keys() == set(names)
    for text, name, reply in zip(texts, names, replies, strict=False):
        event = found[name]
        (told,) = reply.body["predictions"]
        assert (event.text, event.label, event.release) == (text, told["label"], "m-1")
        assert event.probabilities == told["probabilities"] and event.confidence == max(told["probabilities"].values())
        assert event.chars == len(text) and event.took_ms > 0 and abs(event.at - time.time()) < 60
    first, other, third = (found[name] for name in names[100:])
    assert (first.language, other.language, first.tags) == ("zh", "en", {"country": "de"})
    assert first.hash == third.hash != other.hash


def test_nothing_is_kept_unless_it_is_asked_for(start, place) -> None:
    config = parse_config({"data": {"source": "x"}, "watch": {"events": False}})  # a bare off in YAML
    assert config.watch == WatchConfig() and not WatchConfig().used
    live = start()
    assert "x-request-id" not in live.predict("a").headers
    assert live.ask("GET", "/v1/events").body["kept"] == "off"
    assert feed(live, "20260101-0000000000000000.0").status == 404
    live.stop()
    assert not place.exists() and live.server.service.watcher.notices() == []


@pytest.mark.parametrize("mode", ["hashes", "texts"])
def test_personal_data_never_reaches_the_file(start, place, mode) -> None:
    live = start(watch=WatchConfig(events=mode))
    private = "zhang.san@example.com"
    reply = live.ask("POST", "/v1/predict", {"text": f"write to {private}", "tags": {"from": private}})
    assert feed(live, f"{reply.headers['x-request-id']}.0", good=False, comment=f"no: {private}").status == 201
    live.stop()
    (event,) = kept(place)
    assert event.text == ("write to [email]" if mode == "texts" else None) and event.tags == {"from": "[email]"}
    written = b"".join(file.read_bytes() for file in place.parent.glob("events.sqlite*"))
    assert private.encode() not in written and (b"write to" in written) == (mode == "texts")
    (notice,) = live.server.service.watcher.notices()
    assert (
        "90 days" in notice
        and str(place) in notice
        and ("text with personal data taken out" in notice) == (mode == "texts")
    )


def test_feedback_is_kept_once_however_often_it_is_sent(start, place) -> None:
    live = start(watch=WatchConfig(events="hashes"))
    event = live.predict("abc").headers["x-request-id"] + ".0"
    first = feed(live, event, label="even", by="ann", comment="no")
    assert first.status == 201 and first.body["label"] == "even" and first.body["number"] == 1
    for _ in range(3):
        again = feed(live, event, label="even", by="ann", comment="no")
        assert again.status == 200 and again.body == first.body
    in_body = live.ask("POST", PATH, {"event": event, "label": "even", "by": "ann", "comment": "no", "key": "k"})
    assert in_body.status == 200 and in_body.body == first.body
    for other in ({"label": "odd"}, {"label": "even", "by": "ann"}, {"good": True}):
        assert feed(live, event, **other).status == 422
    assert feed(live, event, key="second", good=True).status == 201  # another person may say otherwise
    assert feed(live, event + "1", key="third").status == 404 and feed(live, "nothing", key="fourth").status == 404
    assert live.counter("tuneloop_feedback_total", verdict="new") == 2
    assert live.counter("tuneloop_feedback_total", verdict="same") == 4
    live.stop()
    store = SqliteStore(place)
    assert [each.key for each, _ in store.feedback()] == ["k", "second"]
    store.close()


def test_what_does_not_fit_is_refused_with_a_remedy(start) -> None:
    live = start(watch=WatchConfig(events="hashes"), max_body_bytes=20_000, rate="40/hour")
    event = live.predict("abc").headers["x-request-id"] + ".0"
    good: dict[str, Any] = {"event": event, "good": True}
    wrong: list[tuple[Any, dict[str, str], int]] = [
        (good, {}, 422),
        (good, {"Idempotency_Key": "a b"}, 422),
        (good, {"Idempotency_Key": "k" * 201}, 422),
        (good | {"key": "one"}, {"Idempotency_Key": "two"}, 422),
        ({"event": event}, {"Idempotency_Key": "k"}, 422),
        (good | {"good": "yes"}, {"Idempotency_Key": "k"}, 422),
        (good | {"god": True}, {"Idempotency_Key": "k"}, 422),
        (good | {"label": ""}, {"Idempotency_Key": "k"}, 422),
        (good | {"label": "a\0"}, {"Idempotency_Key": "k"}, 422),
        (good | {"comment": "c" * 2001}, {"Idempotency_Key": "k"}, 422),
        (good | {"event": "e" * 101}, {"Idempotency_Key": "k"}, 422),
        ([], {"Idempotency_Key": "k"}, 422),
        (b"{", {"Idempotency_Key": "k"}, 400),
        (b'{"event": "\\ud800", "good": true}', {"Idempotency_Key": "k"}, 400),
        (good | {"comment": "c" * 20_000}, {"Idempotency_Key": "k"}, 413),
    ]
    for body, headers, status in wrong:
        reply = live.ask("POST", PATH, body, **headers)
        assert reply.status == status and reply.body["hint"], (body, reply.body)
    for tags in ({"A": "b"}, {"a": ""}, {"a": "b" * 65}, {f"t{number}": "b" for number in range(9)}, {"a": 1}, ["a"]):
        assert live.ask("POST", "/v1/predict", {"text": "a", "tags": tags}).status == 422
    chinese = live.ask("POST", PATH, good, Accept_Language="zh")
    assert "键" in chinese.body["detail"]
    statuses = [feed(live, event, key=str(number)).status for number in range(30)]
    assert set(statuses) == {201, 429} and statuses == sorted(statuses)  # it counts as every other request does


def test_the_documents_of_the_server_show_how_feedback_is_given(start) -> None:
    live = start(watch=WatchConfig(events="hashes"))
    page = live.ask("GET", "/docs").body.decode()
    assert "POST /v1/feedback" in page and "GET /v1/events" in page and "ticket-17" in page
    spec = live.ask("GET", "/openapi.json").body["paths"][PATH]["post"]
    assert {"200", "201", "404", "422", "429"} <= spec["responses"].keys()
    assert spec["parameters"][0]["name"] == "Idempotency-Key"


def test_while_the_disk_refuses_answers_go_on_and_nothing_is_acknowledged(start, place, monkeypatch) -> None:
    live = start(watch=WatchConfig(events="hashes"))
    event = live.predict("a").headers["x-request-id"] + ".0"
    assert feed(live, event, key="before").status == 201

    def refuse(*_: Any) -> None:
        raise StorageError(f"Cannot write {place}: the disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "add_events", refuse)
        patch.setattr(SqliteStore, "add_feedback", refuse)
        assert [live.predict("a").status for _ in range(20)] == [200] * 20
        reply = feed(live, event)
        assert reply.status == 503 and reply.headers["retry-after"] and str(place) not in json.dumps(reply.body)
        state = live.ask("GET", "/v1/events").body
        assert state["failed_writes"] >= 1 and (state["waiting"], state["written"]) == (20, 1)
        assert live.counter("tuneloop_events_waiting") == 20
    assert feed(live, event).status == 201
    live.stop()
    assert len(kept(place)) == 21


def test_under_overload_answers_stay_right_and_the_counters_are_those_of_the_clients(start, place, monkeypatch) -> None:
    live = start(watch=WatchConfig(events="hashes", max_queue=20), max_queue=16)
    write, open_gate = SqliteStore.add_events, threading.Event()

    def slow(store: SqliteStore, batch: Any) -> None:
        open_gate.wait(0.05)
        write(store, batch)

    monkeypatch.setattr(SqliteStore, "add_events", slow)
    told: Counter[int] = Counter()

    def ask(number: int) -> None:
        place = urlsplit(live.url)
        with contextlib.closing(http.client.HTTPConnection(place.hostname or "", place.port, timeout=20)) as connection:
            for turn in range(40):
                texts = [f"{number} {turn} {'a' * place}" for place in range(1 + turn % 3)]
                connection.request("POST", "/v1/predict", json.dumps({"texts": texts}))
                response = connection.getresponse()
                body = json.loads(response.read())
                told[response.status] += len(texts)
                if response.status == 200:
                    assert [each["label"] for each in body["predictions"]] == [answer_for(each).label for each in texts]

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(ask, range(12)))
    open_gate.set()
    live.stop()
    counts = live.server.service.watcher.state()
    assert set(told) <= {200, 429} and counts.dropped > 0
    assert counts.written + counts.dropped == told[200] and counts.waiting == counts.unfit == 0
    assert live.counter("tuneloop_events_total", outcome="dropped") == counts.dropped
    assert live.counter("tuneloop_events_total", outcome="written") == counts.written == len(kept(place))


class Heard(FakeHandle):
    """Tells vectors, and remembers how often it was asked."""

    has_vectors = True

    def predict_with_vectors(self, inputs):
        found = self.predict(inputs)
        return found, np.array([[len(each), 0.5] for each in inputs], np.float32)


@pytest.mark.parametrize("mode", ["hashes", "vectors"])
def test_vectors_are_kept_where_they_are_wanted_and_computed_once(start, place, mode, monkeypatch) -> None:
    monkeypatch.setattr("tests.unit.serve.conftest.FakeHandle", Heard)
    live = start(watch=WatchConfig(events=mode))
    reply = live.ask("POST", "/v1/predict", {"texts": ["a", "abc", "a"]})
    assert reply.status == 200 and live.model.computed == ["a", "abc"]
    assert live.ask("POST", "/v1/predict", {"texts": ["poison", "a"]}).status == 500
    live.stop()
    vectors = [(1.0, 0.5), (3.0, 0.5), (1.0, 0.5)] if mode == "vectors" else [None] * 3
    assert [each.vector for each in kept(place)] == vectors
    assert len(live.server.service.watcher.notices()) == 1


def test_an_engine_without_vectors_is_named_when_the_server_starts(start, place) -> None:
    live = start(watch=WatchConfig(events="vectors"))
    assert live.predict("a").status == 200
    assert "engine fake tells no vectors" in live.server.service.watcher.notices()[1]
    live.stop()
    assert [each.vector for each in kept(place)] == [None]


def test_a_model_that_writes_leaves_events_without_what_it_wrote(start, place, tiny_writer) -> None:
    live = start(watch=WatchConfig(events="texts"), writer=tiny_writer)
    replies = [live.predict("good a"), live.ask("POST", "/v1/predict", {"messages": said("bad b")})]
    assert [reply.status for reply in replies] == [200, 200]
    live.stop()
    first, second = kept(place)
    assert (first.text, first.label, first.confidence) == ("good a", None, None) and "bad b" in (second.text or "")
    assert first.id == replies[0].headers["x-request-id"] + ".0"


def test_a_store_that_cannot_be_opened_and_a_password_are_refused(place) -> None:
    place.mkdir(parents=True)
    app = create_app(
        "m-1", workspace=Workspace(place.parent), config=ServeConfig(port=0), watch=WatchConfig(events="hashes"),
        open_model=lambda _: None,
    )  # fmt: skip
    with pytest.raises(StorageError, match="events"):
        Server(app, listen("127.0.0.1", 0)).serve_until_stopped()
    for store in ("postgresql://me:se:c/ret@db/events", "postgresql://db/events?password=secret&a=b"):
        with pytest.raises(ConfigError, match="PGPASSWORD") as caught:
            parse_config({"data": {"source": "x"}, "watch": {"store": store}})
        assert "***" in str(caught.value) and "ret" not in str(caught.value)
    with pytest.raises(ConfigError, match="postgresql"):
        parse_config({"data": {"source": "x"}, "watch": {"store": "mysql://db/events"}})
    with pytest.raises(ServeError, match="no events"):
        serve("m-1", workspace=Workspace(place.parent), config=ServeConfig(), watch=WatchConfig(events="texts"),
              engine="vllm")  # fmt: skip


class Client(threading.Thread):
    """Asks, gives feedback on what it was told, sends again what it has no answer to; remembers what it was told."""

    def __init__(self, number: int, address: str) -> None:
        super().__init__()
        self.number, self.place = number, urlsplit(address)
        self.acknowledged: dict[str, tuple[bytes, bytes]] = {}
        self.open: dict[str, bytes] = {}

    def run(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):  # the server was killed
            self.ask_on()

    def ask_on(self) -> None:
        connection = http.client.HTTPConnection(self.place.hostname or "", self.place.port, timeout=20)
        for turn in range(10_000):
            connection.request("POST", "/v1/predict", b'{"text": "abc"}')
            response = connection.getresponse()
            response.read()
            key = f"{self.place.port}-{self.number}-{turn}"
            body = json.dumps({"event": response.headers["x-request-id"] + ".0", "label": "odd", "by": key}).encode()
            self.open[key] = body
            connection.request("POST", PATH, body, {"Idempotency-Key": key})
            response = connection.getresponse()
            answer = response.read()
            assert response.status == 201, answer
            self.acknowledged[key] = (self.open.pop(key), answer)


def test_feedback_that_was_acknowledged_outlives_ten_kills_and_is_there_once(tmp_path: Path) -> None:
    command = [sys.executable, str(Path(__file__).with_name("watching.py")), str(tmp_path)]
    acknowledged: dict[str, tuple[bytes, bytes]] = {}
    unknown: dict[str, bytes] = {}
    again: Counter[int] = Counter()
    chance = random.Random(7)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdin and parent.stdout
        try:
            for turn in range(11):
                parent.stdin.write("\n")
                parent.stdin.flush()
                process, address = parent.stdout.readline().split()
                try:
                    sent = {key: body for key, (body, _) in acknowledged.items()} | unknown
                    for key in chance.sample(sorted(sent), min(30, len(sent))):
                        status, answer = post(address, key, sent[key])
                        again[status] += 1
                        if key in acknowledged:
                            assert (status, answer) == (200, acknowledged[key][1])
                        elif status in (200, 201):
                            acknowledged[key] = (unknown.pop(key), answer)
                    if turn == 10:
                        break
                    clients = [Client(number, address) for number in range(4)]
                    for client in clients:
                        client.start()
                    time.sleep(chance.uniform(0.05, 0.4))
                finally:
                    os.kill(int(process), signal.SIGKILL)
                for client in clients:
                    client.join(20)
                    acknowledged |= client.acknowledged
                    unknown |= client.open
        finally:
            parent.stdin.close()
    store = SqliteStore(tmp_path / "events.sqlite")
    stored = [each for each, _ in store.feedback()]
    store.close()
    keys = Counter(each.key for each in stored)
    assert len(acknowledged) > 50 and again[200] > 50
    assert set(keys.values()) == {1} and acknowledged.keys() <= keys.keys()
    assert keys.keys() - acknowledged.keys() <= unknown.keys()
    for each in stored:
        body = json.loads((acknowledged.get(each.key) or (unknown[each.key],))[0])
        assert (each.event, each.label, each.by) == (body["event"], body["label"], body["by"])


def post(address: str, key: str, body: bytes) -> tuple[int, bytes]:
    place = urlsplit(address)
    with contextlib.closing(http.client.HTTPConnection(place.hostname or "", place.port, timeout=20)) as connection:
        connection.request("POST", PATH, body, {"Idempotency-Key": key})
        response = connection.getresponse()
        return response.status, response.read()
