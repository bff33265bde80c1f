"""A real server answers, while feedback is given and releases are written beside it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from torture.harness import PATIENCE_S, Broken, Report, Victim, undisturbed
from torture.invariants import once, rows_of, sound_releases
from torture.world import LABELS, NAME, Answers, World
from tuneloop.core.config import TaskConfig
from tuneloop.core.paths import Workspace
from tuneloop.tasks import create_task
from tuneloop.tasks.base import Prediction

TURNS = 15
FEEDBACK = "/v1/feedback"


class Serving(Victim):
    """Serves the newest release; a client gives feedback on what it is told, another process writes releases."""

    name = "server"
    states = ("before it was ready", "under load")
    processes = 3

    def __init__(self, folder: Path, world: World) -> None:
        super().__init__(folder)
        self.world, self.workspace = world, Workspace(folder / "w")
        self.acknowledged: set[str] = set()
        self.over, self.address = folder / "over", folder / "address"

    def prepare(self) -> None:
        for file in (self.over, self.address):
            file.unlink(missing_ok=True)
        if self.round == 1:
            undisturbed(lambda _: self.release(), self.folder / "told-first")

    def release(self) -> None:
        """Write a release, whose answers are proved in no time."""
        self.world.release(self.world.run, self.workspace)

    def work(self, report: Report, number: int) -> None:
        (self.client, self.writer, self.server)[number](report)

    def server(self, report: Report) -> None:
        """Serve until SIGTERM."""
        from tuneloop.api.releasing import serve
        from tuneloop.core.fsio import write_text

        config = self.world.config.model_copy(update={"serve": self.world.config.serve.model_copy(update={"port": 0})})
        serve(
            NAME, config=config, workspace=self.workspace.root,
            ready=lambda url: write_text(self.address, f"{url} {os.getpid()}"),
        )  # fmt: skip

    def client(self, report: Report) -> None:
        """Ask and give feedback until the server is gone; then, or after enough, have it stop."""
        if not _until(lambda: self.address.exists() or self.over.exists()) or self.over.exists():
            return
        url, server = self.address.read_text(encoding="utf-8").split()
        with suppress(OSError, http.client.HTTPException):  # it was killed
            for turn in range(TURNS):
                key = f"r{self.round}t{turn}"
                status, event = ask(url, "/v1/predict", {"text": "good c"})
                report(f"{status} answer {event}")
                status, _ = ask(url, FEEDBACK, {"event": f"{event}.0", "label": "yes"}, key)
                report(f"{status} feedback {key}")
        if not self.over.exists():
            with suppress(ProcessLookupError):
                os.kill(int(server), signal.SIGTERM)

    def writer(self, report: Report) -> None:
        """Write a release now and then, so that what the server opens changes."""
        if self.round % 3 == 0:
            self.release()

    def killed(self) -> None:
        self.over.touch()

    def check(self, told: Sequence[str]) -> str:
        said = [line.split() for line in told]
        if wrong := [line for line in said if line[0] not in ("200", "201")]:
            raise Broken(f"the server refused: {wrong[:3]}")
        self.acknowledged |= {key for _, kind, key in said if kind == "feedback"}
        keys = Counter(str(key) for (key,) in rows_of(self.workspace.events, "SELECT key FROM tuneloop_feedback"))
        once(self.acknowledged, keys, [f"r{turn}t{n}" for turn in range(1, self.round + 1) for n in range(TURNS)])
        sound_releases(self.workspace)
        self.comes_back()
        if not self.address.exists():
            return "before it was ready"
        return "under load" if said else "ready"

    def comes_back(self) -> None:
        """Start a server on what is there; it must answer, and know what was acknowledged."""
        ready = self.address.exists()
        self.address.unlink(missing_ok=True)
        known = sorted(self.acknowledged)[-1:]

        def serve_and_ask(report: Report) -> None:
            server = os.fork()
            if not server:
                try:
                    self.server(report)
                finally:
                    os._exit(0)
            if not _until(lambda: self.address.exists() or os.waitpid(server, os.WNOHANG)[0] == server):
                raise Broken("the server did not come back")
            url = self.address.read_text(encoding="utf-8").split()[0]
            status, event = ask(url, "/v1/predict", {"text": "bad c"})
            report(f"{status} {event}")
            for key in known:
                report(f"{ask(url, FEEDBACK, {'event': 'nothing.0', 'label': 'yes'}, key)[0]} {key}")
            os.kill(server, signal.SIGKILL)
            os.waitpid(server, 0)

        statuses = [line.split()[0] for line in undisturbed(serve_and_ask, self.folder / "told-back")]
        # the key is known, with other feedback
        if statuses != ["200", "422"][: len(statuses)] or len(statuses) != 1 + len(known):
            raise Broken(f"the server came back and said {statuses}")
        self.address.unlink(missing_ok=True)
        if ready:
            self.address.touch()


class LightServing(Serving):
    """The same server with answers that need no model."""

    def server(self, report: Report) -> None:
        from tuneloop.core.config import ServeConfig
        from tuneloop.core.fsio import write_text
        from tuneloop.core.watching import WatchConfig
        from tuneloop.releases.index import newest
        from tuneloop.releases.read import open_release
        from tuneloop.serve.app import create_app
        from tuneloop.serve.server import Server, listen
        from tuneloop.serve.slot import ServedModel

        def open_model(name: str) -> ServedModel:
            return ServedModel(open_release(name, self.workspace).id, "fake", Quick())  # type: ignore[arg-type]

        app = create_app(
            newest(NAME, self.workspace), workspace=self.workspace, config=ServeConfig(port=0),
            watch=WatchConfig(events="hashes"), open_model=open_model,
        )  # fmt: skip
        ready = lambda url: write_text(self.address, f"{url} {os.getpid()}")  # noqa: E731
        Server(app, listen("127.0.0.1", 0), ready=ready).serve_until_stopped()


class Quick(Answers):
    """Answers at once."""

    name = "quick"

    def __init__(self) -> None:
        super().__init__("fake")
        self.task = create_task(TaskConfig(type="classification"), {"labels": list(LABELS)})

    def predict(self, inputs: Sequence[object]) -> list[Prediction]:
        """`yes` where the text is good."""
        return [Prediction("yes" if "good" in str(each) else "no", {"no": 0.5, "yes": 0.5}) for each in inputs]


def ask(url: str, path: str, body: dict[str, object], key: str = "") -> tuple[int, str]:
    """The status and the request's id of an answer."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=PATIENCE_S)
    try:
        connection.request("POST", path, json.dumps(body), {"Idempotency-Key": key} if key else {})
        response = connection.getresponse()
        response.read()
        return response.status, response.headers["x-request-id"]
    finally:
        connection.close()


def _until(condition: Callable[[], bool]) -> bool:
    """Wait for a condition; whether it came."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.005)
    return True
