"""A live uvicorn on a free port of localhost, with a model that the tests can stop and start."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tuneloop.core.config import ServeConfig, TaskConfig
from tuneloop.core.errors import ReleaseError
from tuneloop.core.paths import Workspace
from tuneloop.core.preparation import CleanConfig
from tuneloop.core.watching import WatchConfig
from tuneloop.data.examples import Input
from tuneloop.inference.continuous import ContinuousBatch, Limits
from tuneloop.inference.writing import Writer, WritingEngine
from tuneloop.releases import index
from tuneloop.serve.app import create_app
from tuneloop.serve.server import Server, listen
from tuneloop.serve.slot import ServedModel
from tuneloop.tasks import create_task
from tuneloop.tasks.base import Prediction

WAIT_S = 60
"""Longer than anything takes; only a failing test waits so long."""


class FakeHandle:
    """Answers at once, or when `open_gate` is set; remembers what it computed; fails on texts with "poison"."""

    name = "fake"

    def __init__(self, task: str = "classification") -> None:
        self.task = create_task(TaskConfig(type=task), {"labels": ["even", "odd"]})
        self.batches: list[list[Input]] = []
        self.closed = False
        self.entered = threading.Semaphore(0)
        self.open_gate = threading.Event()
        self.open_gate.set()

    @property
    def computed(self) -> list[Input]:
        """Every input that reached the model, in order."""
        return [item for batch in self.batches for item in batch]

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Odd or even by length."""
        assert not self.closed
        self.batches.append(list(inputs))
        self.entered.release()
        assert self.open_gate.wait(WAIT_S)
        if any("poison" in item for item in inputs):
            raise ValueError(f"cannot read {inputs}")
        return [answer_for(item) for item in inputs]

    def close(self) -> None:
        """No answers after this."""
        self.closed = True


def answer_for(item: Input) -> Prediction:
    """What the fake model says of an input alone."""
    length = len(item) if isinstance(item, str) else sum(map(len, item))
    odd = 1 / (1 + length)
    return Prediction("odd" if length % 2 else "even", {"even": 1 - odd, "odd": odd})


class GatedWriter(Writer):
    """A writer that takes a step only while `open_gate` is set."""

    def __init__(self, *given: Any, **settings: Any) -> None:
        super().__init__(*given, **settings)
        self.open_gate = threading.Event()
        self.open_gate.set()
        self.closed = False

    def side_by_side(self, limits: Limits) -> ContinuousBatch:
        """Answers that wait for the gate."""
        batch = super().side_by_side(limits)
        step = batch.step

        def gated() -> list[Any]:
            assert self.open_gate.wait(WAIT_S)
            return step()

        batch.step = gated  # type: ignore[method-assign]
        return batch

    def close(self) -> None:
        """No answers after this."""
        self.closed = True
        super().close()


@pytest.fixture
def tiny_writer(chat_model: Path) -> Callable[..., GatedWriter]:
    """Opens the random Llama as a model that writes at most six tokens; options of the task may be given."""
    return partial(_open_writer, chat_model, max_tokens=48)


@pytest.fixture
def byte_writer(byte_model: Path) -> Callable[..., GatedWriter]:
    """The same of the random Llama whose tokens are bytes."""
    return partial(_open_writer, byte_model, max_tokens=256)


def _open_writer(folder: Path, *, max_tokens: int, **options: Any) -> GatedWriter:
    from transformers import AutoModelForCausalLM

    task = create_task(TaskConfig(type="generation", **{"max_new_tokens": 6, **options}), {"labels": []})
    model = AutoModelForCausalLM.from_pretrained(folder).eval().requires_grad_(False)
    tokenizer = task.tokenizer(folder, max_tokens)  # type: ignore[attr-defined]
    return GatedWriter(
        WritingEngine(model, "torch-fp32"), task=task, tokenizer=tokenizer, clean=CleanConfig(), name="tiny"
    )


@dataclass
class Reply:
    """An answer, header names in lower case; `body` is parsed where it is JSON."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Live:
    """A running server and the models it opened, by release."""

    server: Server
    thread: threading.Thread
    models: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def model(self) -> Any:
        """The model that was opened first."""
        return next(iter(self.models.values()))

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request on a connection of its own; header names with _ for -."""
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=WAIT_S)
        data = body if body is None or isinstance(body, bytes) or hasattr(body, "__next__") else json.dumps(body)
        chunked = hasattr(body, "__next__")
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, data, names, encode_chunked=chunked)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        kind = response.headers.get("content-type", "")
        names = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status, names, json.loads(content) if content and "json" in kind else content)

    def predict(self, text: str, **headers: str) -> Reply:
        """One text."""
        return self.ask("POST", "/v1/predict", {"text": text}, **headers)

    def counter(self, name: str, **labels: str) -> float:
        """A figure of /metrics."""
        return self.server.service.batcher.meter.registry.get_sample_value(name, labels) or 0.0

    def ask_together(self, texts: Sequence[str]) -> dict[str, Reply]:
        """The first text occupies the model until all others wait, so that they share a batch."""
        self.model.open_gate.clear()
        with ThreadPoolExecutor(len(texts)) as pool:
            replies = {texts[0]: pool.submit(self.predict, texts[0])}
            self.until_computing()
            replies |= {text: pool.submit(self.predict, text) for text in texts[1:]}
            self.until(lambda: self.waiting == len(texts) - 1)
            self.model.open_gate.set()
            return {text: reply.result() for text, reply in replies.items()}

    @property
    def waiting(self) -> int:
        """Texts in the queue."""
        return self.server.service.batcher.waiting

    def until_computing(self) -> None:
        """Return when the model has been given a batch."""
        assert self.model.entered.acquire(timeout=WAIT_S)

    def until(self, condition: Callable[[], bool]) -> None:
        """Return when the server has come to this."""
        end_s = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < end_s
            time.sleep(0.001)

    def stop(self) -> None:
        """As SIGTERM does."""
        for model in self.models.values():
            model.open_gate.set()
        self.server.should_exit = True
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Live]]:
    """Starts servers; releases m-1, m-2 and the damaged m-3 exist, and other-1 answers pairs."""
    running: list[Live] = []
    workspace = Workspace(tmp_path / "workspace")
    for name in ("m-1", "m-2", "m-3", "other-1"):
        index.insert(index.Row(name, "run", "hash", "2026-01-01", "fake"), workspace)

    def begin(
        *,
        task: str = "classification",
        api_key: str | None = None,
        writer: Callable[[], Any] | None = None,
        documents: Any = None,
        watch: WatchConfig | None = None,
        described: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Live:
        models: dict[str, Any] = {}
        known = described or {}

        def open_model(release: str) -> ServedModel:
            if release == "m-3":
                raise ReleaseError("m-3 is damaged.", "Restore it.")
            judge = writer is None or release == "other-1"
            models[release] = FakeHandle("pair" if release == "other-1" else task) if judge else writer()
            more = {name: value.format(release) if name == "manifest" else value for name, value in known.items()}
            return ServedModel(release, "fake", models[release], documents=documents, **more)

        config = ServeConfig(port=0, **settings)
        app = create_app("m-1", workspace=workspace, config=config, api_key=api_key, open_model=open_model, watch=watch)
        ready = threading.Event()
        server = Server(app, listen("127.0.0.1", 0), ready=lambda _: ready.set())
        thread = threading.Thread(target=server.serve_until_stopped)
        thread.start()
        live = Live(server, thread, models)
        running.append(live)
        assert ready.wait(WAIT_S)
        return live

    yield begin
    for live in running:
        live.stop()
