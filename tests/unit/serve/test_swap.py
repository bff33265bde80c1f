"""Another release answers, and no client notices."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

from benchmarks.load import closed_loop


def test_releases_are_exchanged_under_load_without_a_failed_request(start):
    live = start()
    url = live.url + "/v1/predict"
    names = [("m-1", "m-2")[number % 2] for number in range(1, 11)]
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(lambda: asyncio.run(closed_loop(url, [b'{"text":"a"}'], clients=16, requests=1500)))
        opened = [live.models["m-1"]]
        for name in names:
            assert live.ask("POST", f"/v1/models/{name}/activate").status == 200
            opened.append(live.models[name])
        assert load.result().statuses == {200: 1500}
    live.until(lambda: [model.closed for model in opened] == [True] * 10 + [False])
    counted = sum(live.counter("tuneloop_texts_total", release=name) for name in ("m-1", "m-2"))
    assert counted == 1500
    assert sum(bool(model.batches) for model in opened) > 1


def test_a_batch_ends_on_the_release_it_began_on(start):
    live = start()
    old = live.model
    old.open_gate.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(live.predict, "first")
        live.until_computing()
        assert live.ask("POST", "/v1/models/m-2/activate").status == 200
        assert not old.closed
        old.open_gate.set()
        assert first.result().body["release"] == "m-1"
    live.until(lambda: old.closed)
    assert live.predict("second").body["release"] == "m-2"
    assert live.counter("tuneloop_loaded", release="m-2", engine="fake") == 1


FAILING = [
    ("m-9", 404), ("m-3", 409), ("other-1", 409), ("M-1", 422), ("..", 422), ("%2e%2e", 422), ("a%2fb", 404),
    ("..%5cm-1", 422), ("m-1%00", 422), ("%23m-1", 422), ("http:%2f%2fevil.example", 404), ("m" * 65, 422),
]  # fmt: skip


def test_a_failed_activation_leaves_the_old_release_serving(start):
    live = start()
    for name, status in FAILING:
        reply = live.ask("POST", f"/v1/models/{name}/activate")
        assert reply.status == status, name
        assert reply.headers["content-type"] == "application/problem+json" and reply.body["detail"]
        assert live.predict("a").body["release"] == "m-1"
    assert live.ask("GET", "/v1/models").body["loaded"]["id"] == "m-1"
    assert live.models["other-1"].closed and not live.model.closed


def test_models_lists_what_answers_and_what_could(start):
    live = start()
    found = live.ask("GET", "/v1/models").body
    assert found["loaded"] == {
        "id": "m-1", "engine": "fake", "task": "classification", "labels": ["even", "odd"], "batch_effect": 0.0,
        "warnings": [],
    }  # fmt: skip
    assert {each["id"]: each["loaded"] for each in found["releases"]} == {
        "m-1": True, "m-2": False, "m-3": False, "other-1": False,
    }  # fmt: skip
    assert json.dumps(found).count("/") == 0  # no path of this machine
