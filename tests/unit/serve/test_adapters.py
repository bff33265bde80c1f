"""Releases whose adapters stand on one model, behind one server: each request is answered by the one that it names."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.serve.conftest import WAIT_S, Live
from tuneloop import api
from tuneloop.core.config import parse_config
from tuneloop.core.deployment import ServeConfig
from tuneloop.core.errors import ReleaseError, ServeError
from tuneloop.core.paths import Workspace
from tuneloop.core.watching import WatchConfig
from tuneloop.inference.predictor import open_predictor
from tuneloop.releases.proof import real_tools
from tuneloop.releases.write import write_release
from tuneloop.serve.app import create_app
from tuneloop.serve.server import Server, listen
from tuneloop.trail.read import records
from tuneloop.training.run import tune

TASKS = {"mood": "classification", "tone": "classification", "same": "pair"}
FIRST, *OTHERS = (f"{name}-1" for name in TASKS)


@pytest.fixture(scope="module")
def workspace(tiny_model: Path, made_up: Any, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A release of each task, tuned for a moment, its adapter kept apart."""
    place = Workspace(tmp_path_factory.mktemp("adapters"))
    for seed, (name, task) in enumerate(TASKS.items()):
        config = parse_config(
            {
                "name": name, "seed": seed, "data": {"source": "x.csv"}, "task": task,
                "method": {"type": "lora", "keep": "apart"}, "model": {"source": str(tiny_model), "max_tokens": 16},
                "training": {"epochs": 2, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []},
                "release": {"forms": []},
            }
        )  # fmt: skip
        snapshot = made_up(task)
        run = tune(config, snapshot=snapshot, workspace=place, quiet=True)
        tools = replace(real_tools(), speed=lambda *_: 1.0)
        write_release(
            run.path, workspace=place, config=config, dev=snapshot.split("dev"), evaluation={"metrics": {}},
            tools=tools, quiet=True,
        )  # fmt: skip
    return place


@pytest.fixture(scope="module")
def live(workspace: Workspace) -> Iterator[Live]:
    config = ServeConfig(port=0, adapters=tuple(OTHERS), trail="answers")
    app = create_app(FIRST, workspace=workspace, config=config, watch=WatchConfig(events="texts"))
    ready = threading.Event()
    server = Server(app, listen("127.0.0.1", 0), ready=lambda _: ready.set())
    thread = threading.Thread(target=server.serve_until_stopped)
    thread.start()
    found = Live(server, thread)
    assert ready.wait(WAIT_S)
    yield found
    found.stop()


def alone(workspace: Workspace, release: str, item: Any) -> dict[str, float]:
    opened = open_predictor(workspace.releases / release)
    try:
        return opened.predict([item])[0].probabilities
    finally:
        opened.close()


def body_of(release: str | None, text: str) -> dict[str, str]:
    plain = {"text": text, "pair": "a b good"} if release == "same-1" else {"text": text}
    return plain | ({"release": release} if release else {})


def test_each_request_has_the_answer_of_the_release_it_names_whatever_it_shares_a_batch_with(
    live: Live, workspace: Workspace
) -> None:
    asked = [(name, f"good {'a ' * count}bad") for count in range(8) for name in (None, *OTHERS)]
    with ThreadPoolExecutor(len(asked)) as pool:
        replies = list(pool.map(lambda each: live.ask("POST", "/v1/predict", body_of(*each)), asked))
    for (name, text), reply in zip(asked, replies, strict=True):
        assert (reply.status, reply.body["release"]) == (200, name or FIRST)
        item = (text, "a b good") if name == "same-1" else text
        expected = alone(workspace, name or FIRST, item)
        assert reply.body["predictions"][0]["probabilities"] == pytest.approx(expected, abs=1e-5)
    first, other = (live.ask("POST", "/v1/predict", body_of(name, "good bad")).body for name in (FIRST, "tone-1"))
    assert first["predictions"] != other["predictions"]  # the same text, another adapter


def test_an_answer_that_is_known_of_one_release_is_not_taken_for_anothers(live: Live) -> None:
    for _ in range(2):
        told = [live.ask("POST", "/v1/predict", body_of(name, "b b good")).body for name in (FIRST, "tone-1")]
        assert told[0]["release"] == FIRST and told[1]["release"] == "tone-1"
        assert told[0]["predictions"] != told[1]["predictions"]
    assert live.counter("tuneloop_answers_total", source="known") >= 2


def test_all_are_listed_counted_and_noted_by_their_names(live: Live, workspace: Workspace) -> None:
    before = live.counter("tuneloop_texts_total", release="tone-1")
    reply = live.ask("POST", "/v1/predict", body_of("tone-1", "good good"))
    assert live.counter("tuneloop_texts_total", release="tone-1") == before + 1
    models = live.ask("GET", "/v1/models").body
    assert models["loaded"]["id"] == FIRST and [each["id"] for each in models["beside"]] == OTHERS
    assert {each["id"] for each in models["data"]} == {FIRST, *OTHERS}
    assert live.counter("tuneloop_loaded", release="tone-1", engine="torch-fp32") == 1
    event = f"{reply.headers['x-request-id']}.0"
    fed_back = {"key": "k", "event": event, "label": "yes"}
    assert live.ask("POST", "/v1/feedback", fed_back).status == 201
    answers = [each for each in records(workspace.trail) if each["kind"] == "answer"]
    assert [each["release"] for each in answers if each["request"] == reply.headers["x-request-id"]] == ["tone-1"]


def test_the_one_that_is_named_is_explained(live: Live) -> None:
    def explained(name: str) -> dict[str, Any]:
        asked = {"text": "good a bad", "method": "occlusion", "release": name, "target": "yes"}
        found: dict[str, Any] = live.ask("POST", "/v1/explain", asked).body
        return found

    first, other = explained(FIRST), explained("tone-1")
    assert (first["release"], other["release"]) == (FIRST, "tone-1")
    assert first["output"] != pytest.approx(other["output"], abs=1e-4)
    answer = live.ask("POST", "/v1/predict", body_of("tone-1", "good a bad")).body["predictions"][0]
    assert other["output"] == pytest.approx(answer["probabilities"]["yes"], abs=1e-5)


def test_what_does_not_fit_is_refused_with_a_reason(live: Live) -> None:
    unknown = live.ask("POST", "/v1/predict", {"text": "a", "release": "other-9"})
    assert (unknown.status, unknown.body["detail"]) == (404, "other-9 does not answer here.")
    assert "mood-1, tone-1, same-1" in unknown.body["hint"]
    single = live.ask("POST", "/v1/predict", {"text": "a", "release": "same-1"})
    assert (single.status, single.body["detail"]) == (422, "Text 0 has no pair, and this model judges pairs.")
    assert live.ask("POST", "/v1/models/tone-1/activate").status == 409


def test_what_cannot_be_served_together_is_said_before_the_server_listens(workspace: Workspace) -> None:
    for given, error, words in (
        ({"adapters": ["tone-9"]}, ReleaseError, "tone-9"),
        ({"adapters": ["tone-1"], "engine": "onnx-fp32"}, ServeError, "by torch-fp32 alone"),
    ):
        with pytest.raises(error, match=words):
            api.serve(FIRST, port=0, workspace=workspace.root, **given)
    with pytest.raises(ServeError, match="follows no deployments"):
        api.serve("mood", port=0, adapters=["tone-1"], workspace=workspace.root)
