"""A server process that follows m: `following.py WORKSPACE`; prints its address when it is ready."""

from __future__ import annotations

import sys
from pathlib import Path

from tuneloop.core.config import ServeConfig, TaskConfig
from tuneloop.core.paths import Workspace
from tuneloop.releases.read import open_release
from tuneloop.serve.app import create_app
from tuneloop.serve.server import Server, listen
from tuneloop.serve.slot import ServedModel
from tuneloop.tasks import create_task
from tuneloop.tasks.base import Prediction


class Quick:
    """One answer to everything."""

    name = "quick"
    task = create_task(TaskConfig(type="classification"), {"labels": ["a", "b"]})

    def predict(self, inputs):
        return [Prediction("a", {"a": 1.0, "b": 0.0}) for _ in inputs]


def main() -> None:
    workspace = Workspace(Path(sys.argv[1]))

    def open_model(name: str) -> ServedModel:
        open_release(name, workspace)  # every file is checked
        return ServedModel(name, "fake", Quick())

    app = create_app("", workspace=workspace, config=ServeConfig(), open_model=open_model, follow="m")
    Server(app, listen("127.0.0.1", 0), ready=lambda url: print(url, flush=True)).serve_until_stopped()


if __name__ == "__main__":
    main()
