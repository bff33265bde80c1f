"""Two servers of the command line on one workspace, with index, deployments and events in one PostgreSQL."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.moto import s3 as s3
from tests.moto import s3_server as s3_server
from tests.postgres import postgres as postgres
from tests.postgres import postgres_server as postgres_server
from tuneloop.core.config import parse_config
from tuneloop.core.fsio import write_json
from tuneloop.core.paths import Workspace
from tuneloop.core.watching import WatchConfig
from tuneloop.releases.deployment import deployed, history
from tuneloop.releases.index import insert, row_of
from tuneloop.releases.manifest import write_manifest
from tuneloop.releases.promotion import promote, rollback
from tuneloop.releases.remote import push
from tuneloop.releases.write import write_release
from tuneloop.training.run import tune
from tuneloop.watch.store import open_store

pytestmark = pytest.mark.long

WAIT_S = 120
TRAINING = {"epochs": 4, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []}
PLAIN = {"name": "m", "data": {"source": "x.csv"}, "release": {"forms": []}, "watch": {"events": "hashes"}}


@pytest.fixture
def workspace(tmp_path: Path, tiny_model: Path, made_up, postgres: str) -> Workspace:
    """The releases m-1 and m-2, which answer alike; the file database.url names PostgreSQL."""
    place = Workspace(tmp_path / "w")
    place.root.mkdir()
    (place.root / "database.url").write_text(postgres)
    config = parse_config(PLAIN | {"training": TRAINING, "model": {"source": str(tiny_model), "max_tokens": 16}})
    data = made_up("classification")
    run = tune(config, snapshot=data, workspace=place, quiet=True)
    dev = data.split("dev").select(range(6))
    write_release(run.path, workspace=place, config=config, dev=dev, evaluation={"metrics": {}}, quiet=True)
    second = place.releases / "m-2"
    shutil.copytree(place.releases / "m-1", second)
    info = json.loads((second / "release.json").read_text()) | {"id": "m-2"}
    write_json(second / "release.json", info)
    write_manifest(second)
    insert(row_of(info), place)
    return place


class Replica:
    """A process of `tuneloop serve m` on a workspace, or on the copy of an object store that it makes itself."""

    def __init__(self, workspace: str, folder: Path, **variables: str) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **variables}
        command = [sys.executable, "-m", "tuneloop", "serve", "m", "--port", "0", "-w", workspace]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, cwd=folder)
        assert self.process.stderr is not None
        found = next(filter(None, (re.search(r"http://[\d.:]+", line) for line in self.process.stderr)), None)
        assert found is not None, "the server ended"
        self.place = urlsplit(found[0])

    def ask(self, path: str, body: object) -> tuple[int, dict, str]:
        """Status, answer and X-Request-Id."""
        connection = http.client.HTTPConnection(self.place.hostname, self.place.port, timeout=60)
        connection.request("POST", path, json.dumps(body))
        response = connection.getresponse()
        found = json.loads(response.read()), response.headers.get("x-request-id", "")
        connection.close()
        return response.status, *found

    def predict(self) -> tuple[str, str]:
        """The release that answered, and the name of the event."""
        status, body, name = self.ask("/v1/predict", {"text": "good a"})
        assert status == 200
        return body["release"], f"{name}.0"

    def feed_back(self, event: str, key: str) -> int:
        """The status; an event that was not written yet is waited for."""
        body = {"event": event, "good": True, "key": key}
        until(lambda: self.ask("/v1/feedback", body)[0] != 404)
        return self.ask("/v1/feedback", body)[0]

    def end(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(WAIT_S)
        assert self.process.stderr is not None
        self.process.stderr.close()


def until(holds: Callable[[], bool]) -> None:
    limit_s = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < limit_s


@pytest.fixture(params=["one folder", "an object store"])
def replicas(
    request: pytest.FixtureRequest, workspace: Workspace, postgres: str, tmp_path: Path
) -> Iterator[list[Replica]]:
    """Two, which share the folder of the workspace, or nothing but an object store, a secret and PostgreSQL."""
    if request.param == "one folder":
        begin = [lambda: Replica(str(workspace.root), tmp_path)] * 2
    else:
        url = request.getfixturevalue("s3")
        push(url, workspace=workspace, quiet=True)
        (tmp_path / "secret").write_text("5e" * 32)
        shared = {"TUNELOOP_DATABASE": postgres, "TUNELOOP_SECRET_FILE": str(tmp_path / "secret")}
        begin = [
            lambda own=own: Replica(url, tmp_path, TUNELOOP_CACHE=str(tmp_path / own), **shared)
            for own in ("one", "two")
        ]
    with ThreadPoolExecutor(2) as pool:
        running = list(pool.map(lambda each: each(), begin))
    yield running
    for each in running:
        if each.process.poll() is None:
            each.end()


def test_replicas_follow_one_record_and_keep_acknowledged_feedback_once(
    workspace: Workspace, replicas: list[Replica]
) -> None:
    first, second = replicas
    assert not workspace.index.exists() and not workspace.deployments.exists() and not workspace.events.exists()
    for change, release in ((lambda: promote("m-1", workspace, who="ann"), "m-1"),
                            (lambda: promote("m-2", workspace, who="ann"), "m-2"),
                            (lambda: rollback("m", workspace, who="ann"), "m-1")):  # fmt: skip
        change()
        for each in replicas:
            until(lambda each=each, release=release: each.predict()[0] == release)
    assert [each.kind for each in history("m", workspace)] == ["promote", "promote", "rollback"]

    events = [replicas[number % 2].predict()[1] for number in range(20)]
    with ThreadPoolExecutor(8) as pool:  # each key comes to both servers at once
        pairs = list(pool.map(lambda n: [each.feed_back(events[n % 20], f"key-{n % 20}") for each in replicas],
                              range(40)))  # fmt: skip
    assert {status for pair in pairs for status in pair} == {200}
    assert second.ask("/v1/feedback", {"event": events[0], "good": False, "key": "key-0"})[0] == 422

    acknowledged: list[str] = []

    def press(number: int) -> None:
        try:
            status = first.ask("/v1/feedback", {"event": events[0], "good": True, "key": f"late-{number}"})[0]
        except (OSError, http.client.HTTPException):
            return
        if status in (200, 201):
            acknowledged.append(f"late-{number}")

    with ThreadPoolExecutor(8) as pool:
        pressing = [pool.submit(press, number) for number in range(200)]
        until(lambda: len(acknowledged) >= 20)
        first.end(signal.SIGKILL)
        for each in pressing:
            each.result()
    store = open_store(WatchConfig(events="hashes"), workspace)
    kept = [said.key for said, _ in store.feedback()]
    store.close()
    assert len(kept) == len(set(kept)) and {f"key-{n}" for n in range(20)} | set(acknowledged) <= set(kept)

    promote("m-2", workspace, who="ann")  # the one that is left goes on
    until(lambda: second.predict()[0] == "m-2")
    for key in acknowledged:
        assert second.feed_back(events[0], key) == 200
    assert deployed("m", workspace).current == "m-2"
    second.end()
    assert second.process.returncode == 0
