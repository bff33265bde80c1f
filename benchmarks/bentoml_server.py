"""The model served by BentoML. `python -m benchmarks.bentoml_server MODEL PORT batching|defaults`

batching: as https://docs.bentoml.com/en/latest/get-started/adaptive-batching.html says, with the limits that it has by
default: a `max_latency_ms` as short as in its examples cancels nearly everything where a batch takes longer.
"""

from __future__ import annotations

import os
import sys

import bentoml

from benchmarks.peer_model import Classifier

FOLDER = "BENCHMARKS_MODEL"
"""Environment variable with the model's folder: BentoML loads this module anew in its workers."""


@bentoml.service
class Defaults:
    """One request after the other."""

    def __init__(self) -> None:
        self.model = Classifier(os.environ[FOLDER])

    @bentoml.api
    def predict(self, text: str) -> list[str]:
        """The label of a text."""
        return self.model.labels([text])


@bentoml.service
class Batching:
    """Those that wait, in one batch."""

    def __init__(self) -> None:
        self.model = Classifier(os.environ[FOLDER])

    @bentoml.api(batchable=True)
    def predict(self, texts: list[str]) -> list[str]:
        """The labels of the texts."""
        return self.model.labels(texts)


if __name__ == "__main__":
    _, model, port, kind = sys.argv
    service = f"benchmarks.bentoml_server:{kind.title()}"
    command = [sys.executable, "-m", "bentoml", "serve", service, "--host", "127.0.0.1", "--port", port]
    os.execve(sys.executable, command, os.environ | {FOLDER: model, "BENTOML_DO_NOT_TRACK": "True"})
