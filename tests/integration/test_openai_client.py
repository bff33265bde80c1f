"""The official client of OpenAI's interface, on a real server with a tiny random model that writes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tuneloop.core.config import ServeConfig, TaskConfig
from tuneloop.core.paths import Workspace
from tuneloop.core.preparation import CleanConfig
from tuneloop.inference.writing import Writer, WritingEngine
from tuneloop.releases import index
from tuneloop.serve.app import create_app
from tuneloop.serve.server import Server, listen
from tuneloop.serve.slot import ServedModel
from tuneloop.tasks import create_task

openai = pytest.importorskip("openai")

KEY = "k" * 32
TALK: list[dict[str, Any]] = [{"role": "system", "content": "a"}, {"role": "user", "content": "a good b"}]


@dataclass
class Running:
    """A server, the model in it, and a client."""

    server: Server
    writer: Writer
    client: Any


@pytest.fixture(scope="module")
def running(chat_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    from transformers import AutoModelForCausalLM

    task = create_task(TaskConfig(type="generation", max_new_tokens=6), {"labels": []})
    model = AutoModelForCausalLM.from_pretrained(chat_model).eval().requires_grad_(False)
    tokenizer = task.tokenizer(chat_model, 48)
    writer = Writer(
        WritingEngine(model, "torch-fp32"), task=task, tokenizer=tokenizer, clean=CleanConfig(), name="tiny"
    )
    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    index.insert(index.Row("talk-1", "run", "hash", "2026-01-02T00:00:00+00:00", "torch-fp32"), workspace)
    config = ServeConfig(port=0, max_text_chars=400)
    served = ServedModel("talk-1", "torch-fp32", writer)
    app = create_app("talk-1", workspace=workspace, config=config, api_key=KEY, open_model=lambda _: served)
    ready = threading.Event()
    server = Server(app, listen("127.0.0.1", 0), ready=lambda _: ready.set())
    thread = threading.Thread(target=server.serve_until_stopped)
    thread.start()
    assert ready.wait(60)
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0, timeout=60)
    yield Running(server, writer, client)
    client.close()
    server.should_exit = True
    thread.join(60)
    assert not thread.is_alive()


def expected(running: Running) -> str:
    from tuneloop.data.conversation import parse_messages, to_text

    return str(running.writer.predict([to_text(parse_messages(TALK))])[0].label)


def test_an_answer_at_once_and_piece_by_piece(running):
    chat = running.client.chat.completions
    whole = chat.create(model="talk", messages=TALK)
    assert whole.choices[0].message.content == expected(running)
    assert whole.choices[0].finish_reason in ("stop", "length") and whole.model == "talk-1"
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens > 6
    pieces = list(chat.create(model="talk-1", messages=TALK, stream=True, stream_options={"include_usage": True}))
    said = [piece.choices[0].delta.content or "" for piece in pieces if piece.choices]
    assert "".join(said) == expected(running) and len(said) > 3
    assert pieces[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_the_client_s_own_stream_helper_understands_the_events(running):
    before, last = expected(running).rsplit(" ", 1)
    with running.client.chat.completions.stream(model="talk", messages=TALK, stop=last) as stream:
        said = "".join(event.delta for event in stream if event.type == "content.delta")
        assert said.strip() == before
        assert stream.get_final_completion().choices[0].message.content == said


def test_texts_are_continued(running):
    ids = running.writer.tokenizer.bare("a good")
    reply = running.client.completions.create(model="talk", prompt="a good", max_tokens=4)
    assert reply.object == "text_completion" and reply.usage.prompt_tokens == len(ids)
    pieces = running.client.completions.create(model="talk", prompt="a good", max_tokens=4, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == reply.choices[0].text != ""


def test_models_are_listed(running):
    models = running.client.models.list().data
    assert [(model.id, model.object, model.owned_by) for model in models] == [("talk-1", "model", "tuneloop")]
    assert models[0].created == 1767312000


def test_errors_are_the_usual_ones_of_the_client(running):
    chat = running.client.chat.completions
    with pytest.raises(openai.AuthenticationError, match="API key"):
        running.client.with_options(api_key="x" * 32).chat.completions.create(model="talk", messages=TALK)
    with pytest.raises(openai.AuthenticationError):
        running.client.with_options(api_key="x" * 32).models.list()
    with pytest.raises(openai.NotFoundError) as unknown:
        chat.create(model="gpt-9", messages=TALK)
    assert unknown.value.code == "model_not_found" and unknown.value.param == "model"
    with pytest.raises(openai.BadRequestError) as long:
        chat.create(model="talk", messages=[{"role": "user", "content": "a " * 60}], stream=True)
    assert long.value.code == "context_length_exceeded" and "longer than the model reads" in long.value.message
    with pytest.raises(openai.BadRequestError, match="no images"):
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}
        chat.create(model="talk", messages=[{"role": "user", "content": [image]}])
    with pytest.raises(openai.BadRequestError, match="tools"):
        tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
        chat.create(model="talk", messages=TALK, tools=[tool])


def test_a_closed_stream_is_written_no_further(running):
    meter, scheduler = running.server.service.batcher.meter, running.server.service.scheduler
    passes, go_on, pause = [], threading.Event(), threading.Event()

    def gated(*_: Any) -> None:
        passes.append(1)
        assert len(passes) < 3 or go_on.wait(60)

    def until(condition: Callable[[], bool]) -> None:
        for _ in range(10_000):
            if condition():
                return
            pause.wait(0.002)
        raise AssertionError

    hook = running.writer.engine.model.register_forward_pre_hook(gated)
    try:
        stream = running.client.chat.completions.create(model="talk", messages=TALK, stream=True, max_tokens=40)
        next(iter(stream))
        stream.close()
        gone = {"reason": "client_gone"}
        until(lambda: meter.registry.get_sample_value("tuneloop_texts_dropped_total", gone) == 1)
        go_on.set()
        until(lambda: scheduler.running == 0)
        assert len(passes) <= 3
    finally:
        go_on.set()
        hook.remove()
