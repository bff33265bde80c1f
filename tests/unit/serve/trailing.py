"""A server process with a trail and a model that answers at once: `trailing.py WORKSPACE`; prints its address."""

from __future__ import annotations

import sys
from pathlib import Path

from tuneloop.core.config import ServeConfig, TaskConfig
from tuneloop.core.paths import Workspace
from tuneloop.serve.app import create_app
from tuneloop.serve.server import Server, listen
from tuneloop.serve.slot import ServedModel
from tuneloop.tasks import create_task
from tuneloop.tasks.base import Prediction


class Quick:
    """Always the same."""

    name = "quick"
    task = create_task(TaskConfig(type="classification"), {"labels": ["a", "b"]})

    def predict(self, inputs):
        return [Prediction("a", {"a": 1.0, "b": 0.0}) for _ in inputs]


app = create_app(
    "m-1",
    workspace=Workspace(Path(sys.argv[1])),
    config=ServeConfig(trail="texts"),
    open_model=lambda name: ServedModel(name, "fake", Quick()),
)
Server(app, listen("127.0.0.1", 0), ready=lambda url: print(url, flush=True)).serve_until_stopped()
