"""Servers that keep events, forked from one process: `watching.py WORKSPACE`; a line on its input starts the next.

Each tells its process and its address. Importing takes seconds and a server a moment, so that many can be killed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tuneloop.core.config import ServeConfig, TaskConfig
from tuneloop.core.paths import Workspace
from tuneloop.core.watching import WatchConfig
from tuneloop.serve.app import create_app
from tuneloop.serve.server import Server, listen
from tuneloop.serve.slot import ServedModel
from tuneloop.tasks import create_task
from tuneloop.tasks.base import Prediction


class Quick:
    """Even or odd by length."""

    name = "quick"
    task = create_task(TaskConfig(type="classification"), {"labels": ["even", "odd"]})

    def predict(self, inputs):
        return [Prediction(("even", "odd")[len(each) % 2], {"even": 0.5, "odd": 0.5}) for each in inputs]


def serve() -> None:
    app = create_app(
        "m-1",
        workspace=Workspace(Path(sys.argv[1])),
        config=ServeConfig(),
        watch=WatchConfig(events="hashes"),
        open_model=lambda name: ServedModel(name, "fake", Quick()),
    )
    said = f"{os.getpid()} "
    Server(app, listen("127.0.0.1", 0), ready=lambda url: print(said + url, flush=True)).serve_until_stopped()


for _ in sys.stdin:
    if os.fork() == 0:
        serve()
        os._exit(0)
    os.wait()
