"""The end of a server: what was accepted is answered."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.load import closed_loop, connect, post
from tuneloop.core.deployment import ServeConfig
from tuneloop.core.errors import ModelError, ReleaseError, ServeError
from tuneloop.core.paths import Workspace
from tuneloop.serve import server as server_module
from tuneloop.serve.app import create_app
from tuneloop.serve.server import Server, listen

PROGRAM = Path(__file__).with_name("program.py")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_under_load_loses_no_accepted_request(tmp_path, number):
    command = [sys.executable, str(PROGRAM), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip() + "/v1/predict"
        body = [b'{"text":"a"}']

        async def load_and_stop():
            loading = asyncio.create_task(closed_loop(url, body, clients=32))
            before = await closed_loop(url, body, clients=1, requests=20)
            process.send_signal(number)
            return before, await loading

        before, load = asyncio.run(load_and_stop())
        assert process.wait(20) == 0
        assert process.stdout.read().startswith("ended")
    assert before.statuses == {200: 20}
    assert load.statuses.keys() == {200} and load.statuses[200] > 50
    assert load.refused == 32  # each client ended because nobody listened any more, none by a broken connection


def test_while_draining_the_last_answer_says_so_and_readiness_is_503(start):
    live = start()
    live.model.open_gate.clear()
    place = urlsplit(live.url)

    async def ask():
        first, second = await connect(live.url), await connect(live.url)
        answer = asyncio.create_task(first.ask(post("/v1/predict", b'{"text":"first"}')))
        await asyncio.to_thread(live.until_computing)
        live.server.should_exit = True
        await asyncio.to_thread(live.until, lambda: live.server.service.state == "draining")
        ready, body = await second.ask(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.to_thread(live.until, lambda: not accepts(place.hostname, place.port))
        live.model.open_gate.set()
        return ready, body, await answer, second.usable

    ready, body, (status, _), usable = asyncio.run(ask())
    assert ready == 503 and b"shutting down" in body and not usable
    assert status == 200
    live.thread.join(20)
    assert live.model.closed


def test_nobody_is_taken_in_after_the_last_look_at_who_waits(start, monkeypatch):
    live = start()
    place = urlsplit(live.url)
    outcomes = []

    def late_client():
        try:
            with socket.create_connection((place.hostname, place.port), timeout=20) as late:
                late.sendall(post("/v1/predict", b'{"text":"late"}'))
                outcomes.append(late.recv(12) or "lost")
        except ConnectionRefusedError:
            outcomes.append("refused")
        except ConnectionResetError:
            outcomes.append("lost")

    thread = threading.Thread(target=late_client)

    def held_up_after_it(listener):
        waiting = accept_all(listener)
        thread.start()
        thread.join(0.3)  # the kernel would have taken the connection by now
        return waiting

    accept_all = server_module._accept_all
    monkeypatch.setattr(server_module, "_accept_all", held_up_after_it)
    live.server.should_exit = True
    live.thread.join(20)
    thread.join(20)
    assert outcomes == ["refused"]


def accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_release_that_cannot_be_opened_ends_the_server_with_its_error(tmp_path):
    def fail(_):
        raise ModelError("It is damaged.", "Export it again.")

    app = create_app("m-1", workspace=Workspace(tmp_path), config=ServeConfig(), open_model=fail)
    with pytest.raises(ModelError, match="damaged"):
        Server(app, listen("127.0.0.1", 0)).serve_until_stopped()


def test_while_the_model_is_loaded_the_server_lives_but_is_not_ready(start, tmp_path):
    go_on = threading.Event()

    def slow(_):
        go_on.wait(20)
        raise ReleaseError("enough")

    app = create_app("m-1", workspace=Workspace(tmp_path), config=ServeConfig(), open_model=slow)
    server = Server(app, listen("127.0.0.1", 0))
    asked: Counter[str] = Counter()

    async def ask():
        connection = await connect(server.url)
        for path in ("/healthz", "/readyz", "/v1/models"):
            asked[path] = (await connection.ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()))[0]
        asked["predict"] = (await connection.ask(post("/v1/predict", b'{"text":"a"}')))[0]
        asked["activate"] = (await connection.ask(post("/v1/models/m-1/activate", b"")))[0]
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(server.serve_until_stopped)
        while not server.started:
            threading.Event().wait(0.001)
        asyncio.run(ask())
        go_on.set()
        with pytest.raises(ReleaseError, match="enough"):
            running.result(20)
    assert asked == {"/healthz": 200, "/readyz": 503, "/v1/models": 200, "predict": 503, "activate": 503}


def test_a_taken_port_is_one_clear_error():
    taken = listen("127.0.0.1", 0)
    taken.listen()
    with pytest.raises(ServeError, match="Cannot listen"):
        listen("127.0.0.1", taken.getsockname()[1])
    taken.close()


def test_a_port_that_cannot_be_is_one_clear_error():
    with pytest.raises(ServeError, match=r"70000.*0-65535"):
        listen("127.0.0.1", 70_000)


def test_any_error_at_the_start_ends_the_server(tmp_path):
    def fail(_):
        raise MemoryError("no room")

    app = create_app("m-1", workspace=Workspace(tmp_path), config=ServeConfig(), open_model=fail)
    with pytest.raises(ServeError, match="MemoryError: no room"):
        Server(app, listen("127.0.0.1", 0)).serve_until_stopped()
