"""A server process with a model that takes its time: `program.py WORKSPACE`; prints its address when it is ready."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from tuneloop.core.config import ServeConfig, TaskConfig
from tuneloop.core.paths import Workspace
from tuneloop.serve import server
from tuneloop.serve.app import create_app
from tuneloop.serve.server import Server, listen
from tuneloop.serve.slot import ServedModel
from tuneloop.tasks import create_task
from tuneloop.tasks.base import Prediction


class Slow:
    """Five milliseconds for any batch, so that requests wait when the signal comes."""

    name = "slow"
    task = create_task(TaskConfig(type="classification"), {"labels": ["a", "b"]})

    def predict(self, inputs):
        threading.Event().wait(0.005)
        return [Prediction("a", {"a": 1.0, "b": 0.0}) for _ in inputs]


def main() -> None:
    config = ServeConfig()
    server.FAREWELL_S = 20  # a test that is held up on a busy machine is no loss of the server's
    app = create_app(
        "m-1",
        workspace=Workspace(Path(sys.argv[1])),
        config=config,
        open_model=lambda name: ServedModel(name, "fake", Slow()),
    )
    Server(app, listen("127.0.0.1", 0), ready=lambda url: print(url, flush=True)).serve_until_stopped()
    print("ended", time.monotonic(), flush=True)


if __name__ == "__main__":
    main()
