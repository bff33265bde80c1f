"""A release of the packaged MiniLM, served by a real process."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.load import closed_loop, connect, post
from tuneloop.core.config import parse_config
from tuneloop.core.fsio import write_json
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.releases.index import reindex
from tuneloop.releases.manifest import write_manifest
from tuneloop.releases.read import open_release
from tuneloop.releases.write import write_release
from tuneloop.serve.slot import open_model
from tuneloop.training.run import tune

NOUNS = ["film", "meal", "room", "phone", "day"]
TEXTS = [f"{word} {noun}" for word in ("good", "great", "bad", "awful") for noun in NOUNS]
DEV = Examples([str(row) for row in range(20)], TEXTS, ["positive"] * 10 + ["negative"] * 10)
CONFIG = parse_config(
    {
        "name": "mood", "data": {"source": "x.csv"}, "release": {"forms": ["openvino-bf16"]},
        "training": {"epochs": 4, "learning_rate": 5e-4, "precision": "fp32"},
    }
)  # fmt: skip
SERVE = """
import sys
from pathlib import Path
from tuneloop.core.deployment import ServeConfig
from tuneloop.core.fsio import write_json
from tuneloop.core.paths import Workspace
from tuneloop.serve import serve
serve(sys.argv[1], workspace=Workspace(Path(sys.argv[2])), config=ServeConfig(port=0, answer_cache_mb=0),
      ready=lambda url: print(url, flush=True))
"""


class Sentiment:
    """The same 20 rows in each split: what is tested is that the server answers as the release."""

    hash = "abc"
    labels = ("negative", "positive")

    def split(self, name: str) -> Examples:
        return DEV


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("workspace"))
    run = tune(CONFIG, snapshot=Sentiment(), workspace=made, quiet=True)
    write_release(run.path, workspace=made, config=CONFIG, dev=DEV, evaluation={"metrics": {}})
    shutil.copytree(made.releases / "mood-1", made.releases / "mood-2")
    facts = json.loads((made.releases / "mood-2" / "release.json").read_text(encoding="utf-8"))
    write_json(made.releases / "mood-2" / "release.json", {**facts, "id": "mood-2"})
    write_manifest(made.releases / "mood-2")
    reindex(made)
    return made


@pytest.fixture
def process(workspace: Workspace) -> Iterator[tuple[subprocess.Popen[str], str]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", SERVE, "mood-1", str(workspace.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as running:
        try:
            yield running, running.stdout.readline().strip()
        finally:
            running.kill()


def call(url: str, method: str, path: str, body: object = None) -> tuple[int, dict]:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    connection.request(method, path, None if body is None else json.dumps(body))
    response = connection.getresponse()
    found = json.loads(response.read())
    connection.close()
    return response.status, found


def test_answers_in_batches_are_those_of_the_release_through_swap_and_sigterm(workspace, process):
    running, url = process
    chance = random.Random(0)
    texts = [" ".join(chance.choices(["good", "bad", "awful", *NOUNS], k=chance.randint(1, 60))) for _ in range(40)]
    alone = open_release("mood-1", workspace).predictor("torch-fp32")
    expected = {text: alone.predict([text])[0] for text in texts}

    async def one_by_one() -> dict[str, dict]:
        async def ask(part: list[str]) -> dict[str, dict]:
            connection = await connect(url)
            found = {}
            for text in part:
                status, body = await connection.ask(post("/v1/predict", json.dumps({"text": text}).encode()))
                assert status == 200
                found[text] = json.loads(body)["predictions"][0]
            connection.close()
            return found

        parts = await asyncio.gather(*(ask(texts[start::16]) for start in range(16)))
        return {text: answer for part in parts for text, answer in part.items()}

    together = asyncio.run(one_by_one())
    _, at_once = call(url, "POST", "/v1/predict", {"texts": texts})
    for text, answer in zip(texts, at_once["predictions"], strict=True):
        for served in (together[text], answer):
            assert served["probabilities"] == pytest.approx(expected[text].probabilities, abs=0.02)
            assert served["truncated"] == expected[text].truncated

    loaded = call(url, "GET", "/v1/models")[1]["loaded"]
    assert loaded["labels"] == ["negative", "positive"] and loaded["warnings"] == []
    assert loaded["engine"] == open_release("mood-1", workspace).engine

    bodies = [json.dumps({"text": text}).encode() for text in texts]

    async def swap_and_stop() -> object:
        loading = asyncio.create_task(closed_loop(url + "/v1/predict", bodies, clients=16))
        status, found = await asyncio.to_thread(call, url, "POST", "/v1/models/mood-2/activate")
        assert (status, found["loaded"]["id"], found["loaded"]["engine"]) == (200, "mood-2", loaded["engine"])
        await closed_loop(url + "/v1/predict", bodies, clients=1, requests=5)
        running.send_signal(signal.SIGTERM)
        return await loading

    load = asyncio.run(swap_and_stop())
    assert load.statuses.keys() == {200} and load.statuses[200] > 16
    assert load.refused == 16
    assert json.loads(load.last)["release"] == "mood-2"
    assert running.wait(60) == 0


def test_an_engine_whose_answers_depend_on_the_batch_is_named(workspace):
    model = open_model("mood-1", workspace=workspace, engine="openvino-bf16", max_batch_tokens=512)
    assert model.handle.engine.max_batch_tokens == 512
    assert model.warnings() == []
    unsteady = replace(model, batch_effect=0.0834)
    assert "up to 0.0834" in unsteady.warnings()[0] and "0.0050 is tolerated" in unsteady.warnings()[0]
    model.close()
    unproven = open_model("mood-1", workspace=workspace, engine="torch-bf16", max_batch_tokens=512)
    assert "not checked" in unproven.warnings()[0]


def test_a_damaged_release_is_not_served(workspace: Workspace, tmp_path: Path):
    weights = workspace.releases / "mood-2" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + b"\x01")
    try:
        with pytest.raises(Exception, match=r"model\.safetensors is missing or is not"):
            open_model("mood-2", workspace=workspace, engine=None, max_batch_tokens=512)
    finally:
        weights.write_bytes(whole)
