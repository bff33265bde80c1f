"""What a served answer leaves in the audit trail, over HTTP, and what is on the disk when a client has it."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.unit.serve.test_asking import documents as documents
from tests.unit.serve.test_writers import CHAT, TALK, chat, said, text_of
from tuneloop.core.config import parse_config
from tuneloop.core.deployment import ServeConfig
from tuneloop.core.errors import ServeError, StorageError
from tuneloop.core.paths import Workspace
from tuneloop.inference.continuous import Piece
from tuneloop.serve.app import create_app
from tuneloop.serve.server import Server, listen
from tuneloop.serve.start import serve
from tuneloop.serve.trail import keep
from tuneloop.trail.read import find, records
from tuneloop.trail.verify import verify
from tuneloop.trail.writer import TrailWriter

PRIVATE = ("138-0013-8000", "zhang.san@example.com", "11010519491231002X")


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    return tmp_path / "workspace" / "trail"


def test_every_answer_is_recorded_once_whoever_else_asks(start, trail) -> None:
    live = start(trail="texts")
    texts = [f"text {number} " + "a" * (number % 7) for number in range(200)]
    with ThreadPoolExecutor(32) as pool:
        replies = list(pool.map(live.predict, texts))
    assert {reply.status for reply in replies} == {200}
    ids = [reply.headers["x-request-id"] for reply in replies]
    assert len(set(ids)) == 200
    live.stop()
    found = {each["request"]: each for each in records(trail) if each["kind"] == "answer"}
    assert found.keys() == set(ids) and verify(trail).lines == 201  # and how the release was opened
    for text, reply in zip(texts, replies, strict=True):
        record = found[reply.headers["x-request-id"]]
        assert record["asked"] == {"exact": {"text": text}}
        assert record["told"] == {"exact": reply.body["predictions"]}
        assert (record["release"], record["engine"], record["route"]) == ("m-1", "fake", "/v1/predict")
    opened = next(records(trail))
    assert opened["kind"] == "loaded" and opened["environment"]["torch"] and opened["code"]["source_sha256"]


@pytest.mark.parametrize("mode", ["texts", "answers"])
def test_an_explanation_is_recorded_without_its_words(start, trail, mode) -> None:
    live = start(trail=mode)
    reply = live.ask("POST", "/v1/explain", {"text": "secretly good"})
    live.stop()
    (record,) = [each for each in records(trail) if each["kind"] == "answer"]
    assert (record["request"], record["route"]) == (reply.headers["x-request-id"], "/v1/explain")
    told = record["told"]["exact"]
    assert [each["value"] for each in told["units"]] == [each["value"] for each in reply.body["units"]]
    assert "secretly" not in json.dumps(told) and ("secretly" in json.dumps(record)) == (mode == "texts")


def test_the_trail_is_off_unless_it_is_asked_for(start, trail) -> None:
    assert ServeConfig().trail == "off"
    assert parse_config({"data": {"source": "x"}, "serve": {"trail": False}}).serve.trail == "off"  # a bare off in YAML
    live = start()
    assert "x-request-id" not in live.predict("a").headers
    live.stop()
    assert not trail.exists()


@pytest.mark.parametrize("mode", ["texts", "answers"])
def test_personal_data_never_reaches_the_files(start, trail, mode, tiny_writer, documents) -> None:
    live = start(trail=mode, writer=tiny_writer, documents=documents)
    talk = [{"role": "system", "content": "a b"}, *said("good " + " or ".join(PRIVATE))]
    replies = [
        chat(live, talk), chat(live, talk, stream=True), live.predict(f"bad {PRIVATE[0]}"),
        live.ask("POST", "/v1/predict", {"messages": talk}),
        live.ask("POST", "/v1/ask", {"question": f"How many days of leave has {PRIVATE[1]}?"}),
        live.ask("POST", CHAT, {"model": "m", "messages": talk, "user": PRIVATE[1], "metadata": {"tel": PRIVATE[0]}}),
    ]  # fmt: skip
    assert {reply.status for reply in replies} == {200} and all(reply.headers["x-request-id"] for reply in replies)
    live.stop()
    written = b"".join(file.read_bytes() for file in trail.iterdir())
    for private in PRIVATE:
        assert private.encode() not in written
    assert (b"[phone]" in written) == (mode == "texts")
    assert b"days of leave has" in written if mode == "texts" else b"days of leave has" not in written
    assert len([each for each in records(trail) if each["kind"] == "answer"]) == len(replies)
    assert verify(trail).whole


def test_a_stream_is_recorded_before_it_begins_and_before_it_ends(start, trail, tiny_writer) -> None:
    live = start(trail="texts", writer=tiny_writer)
    whole, stream = chat(live, TALK, max_tokens=4, n=2), chat(live, TALK, max_tokens=4, n=2, stream=True)
    assert stream.body.endswith(b"data: [DONE]\n\n")
    first = json.loads(stream.body.split(b"\n\n")[0].removeprefix(b"data: "))
    begun, ended = find(first["id"], trail)
    assert (begun["kind"], ended["kind"], ended["finish"]) == ("begun", "answer", "whole")
    assert stream.headers["x-request-id"] == begun["request"]
    (record,) = find(whole.headers["x-request-id"], trail)
    assert record["told"] == ended["told"]
    assert record["told"]["exact"][0]["text"] == text_of(whole)
    assert record["asked"]["exact"]["seed"] >= 0  # drawn by the server, so that chance can be repeated


def test_a_stream_that_is_given_up_is_recorded_with_what_was_said(start, trail, tiny_writer) -> None:
    live = start(trail="texts", writer=tiny_writer)

    async def pieces():
        for text in ("good ", "bad ", "never"):
            yield 0, Piece(text)

    async def give_up(recorder) -> str:
        noted = recorder.begin(CHAT)
        noted._begun = ("m-1", {"messages": TALK})
        async with aclosing(noted.listening(pieces())) as heard:
            await anext(heard), await anext(heard)
        return noted.id

    name = asyncio.run(give_up(live.server.service.recorder))
    live.stop()
    (record,) = find(name, trail)
    assert record["finish"] == "given up" and record["told"]["exact"][0]["text"] == "good bad "


def test_no_answer_goes_out_that_the_disk_does_not_take(start, trail, monkeypatch) -> None:
    live = start(trail="answers")
    assert live.predict("a").status == 200
    refused = StorageError("Cannot write: the disk is full.", "Free some space.")
    with monkeypatch.context() as patch:
        patch.setattr(TrailWriter, "_append", lambda *_: refused)
        reply = live.predict("b")
        assert reply.status == 503 and "disk is full" in reply.body["detail"]
        patch.setattr("tuneloop.serve.trail.DISK_S", 0.05)
        patch.setattr(TrailWriter, "_append", lambda *_: threading.Event().wait(0.3) and None)
        reply = live.predict("c")
        assert reply.status == 503 and reply.headers["retry-after"] == "1"
    assert live.predict("d").status == 200
    live.stop()


def test_what_was_answered_is_on_the_disk_after_kill_9(tmp_path: Path) -> None:
    command = [sys.executable, str(Path(__file__).with_name("trailing.py")), str(tmp_path)]
    told: list[str] = []
    for again in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            place = urlsplit(process.stdout.readline().strip())
            enough = threading.Event()

            def ask(place=place, enough=enough, most=200 * (again + 1)) -> None:
                connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
                try:
                    while True:
                        connection.request("POST", "/v1/predict", b'{"text": "a"}')
                        response = connection.getresponse()
                        response.read()
                        told.append(response.headers["x-request-id"])
                        if len(told) >= most:
                            enough.set()
                except (OSError, http.client.HTTPException):
                    return

            clients = [threading.Thread(target=ask) for _ in range(8)]
            for client in clients:
                client.start()
            assert enough.wait(20)
            process.send_signal(signal.SIGKILL)
            for client in clients:
                client.join(20)
    opened = TrailWriter(tmp_path / "trail")
    opened.start()
    opened.close()
    recorded = [each["request"] for each in records(tmp_path / "trail") if each["kind"] == "answer"]
    assert len(recorded) == len(set(recorded)) and set(told) <= set(recorded) and len(told) >= 400
    assert verify(tmp_path / "trail").whole


def test_a_server_does_not_start_beside_another_or_on_a_damaged_trail(start, trail) -> None:
    live = start(trail="texts")
    live.predict("a")

    def another() -> None:
        app = create_app(
            "m-1", workspace=Workspace(trail.parent), config=ServeConfig(port=0, trail="texts"),
            open_model=lambda _: None,
        )  # fmt: skip
        Server(app, listen("127.0.0.1", 0)).serve_until_stopped()

    with pytest.raises(StorageError, match="Another process"):
        another()
    live.stop()
    (file,) = trail.glob("*.jsonl")
    file.write_bytes(file.read_bytes().replace(b'"fake"', b'"real"'))
    with pytest.raises(StorageError, match="changed"):
        another()
    with pytest.raises(ServeError, match="audit trail"):
        serve("m-1", workspace=Workspace(trail.parent), config=ServeConfig(trail="texts"), engine="vllm")


def test_where_only_answers_are_kept_nothing_repeats_the_request() -> None:
    reason = {"rule": "r", "before": "no", "after": "yes", "matched": "secret", "because": "b"}
    told = [
        {"label": "yes", "probabilities": {"no": 0.7, "yes": 0.3}, "because": [reason]},
        {"label": [{"start": 1, "end": 2, "label": "yes", "probability": 0.5}], "probabilities": {}},
        {"label": [{"start": 1, "end": 2, "label": "secret", "probability": 0.5}], "probabilities": {}},
    ]
    kept = keep(told, "answers", frozenset({"no", "yes"}))
    assert "secret" not in json.dumps(kept) and kept[0]["because"][0]["rule"] == "r"
    assert kept[1]["label"][0]["label"] == "yes"
    choice = [{"label": "secret", "probabilities": {"other secret": 0.2, "secret": 0.8}}]
    assert keep(choice, "answers", frozenset()) == [{"label": 1, "probabilities": [0.2, 0.8]}]
    assert keep(choice, "texts", frozenset()) == choice
