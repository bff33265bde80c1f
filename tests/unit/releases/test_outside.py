"""A form that was made elsewhere: what is the same is accepted, and each way of being another one is told apart."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tuneloop.core.config import parse_config
from tuneloop.core.errors import ReleaseError
from tuneloop.core.paths import Workspace
from tuneloop.data.conversation import Message, to_text
from tuneloop.data.examples import Examples
from tuneloop.inference.predictor import open_predictor
from tuneloop.releases.outside import Comparison, compare_form
from tuneloop.releases.read import Release
from tuneloop.training.run import tune


@pytest.fixture(scope="module")
def release(chat_model: Path, made_up: type, tmp_path_factory: pytest.TempPathFactory) -> Release:
    plain = {
        "data": {"source": "x.csv"},
        "task": {"type": "generation", "max_new_tokens": 5},
        "model": {"source": str(chat_model), "max_tokens": 48},
        "method": "full",
        "training": {"epochs": 12, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []},
    }
    workspace = Workspace(tmp_path_factory.mktemp("outside"))
    run = tune(parse_config(plain), snapshot=made_up("generation"), workspace=workspace, quiet=True)
    return Release("talk-1", run.model_path, {"config": plain, "engine": "torch-fp32"})


@pytest.fixture
def dev(made_up: type) -> Examples:
    return made_up("generation").split("dev").select(range(12))


@pytest.fixture
def changed(release: Release, tmp_path: Path) -> Callable[[Callable[[Path], None]], str]:
    def change(work: Callable[[Path], None]) -> str:
        folder = tmp_path / "form"
        shutil.copytree(release.path, folder)
        work(folder)
        return str(folder)

    return change


def noise(scale: float) -> Callable[[Path], None]:
    """Moves every weight matrix by chance, by a share of how far its values lie apart."""

    def work(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        torch.manual_seed(0)
        weights = load_file(folder / "model.safetensors")
        moved = {
            name: each + torch.randn_like(each) * each.std() * scale if each.ndim > 1 else each
            for name, each in weights.items()
        }
        save_file(moved, folder / "model.safetensors", {"format": "pt"})

    return work


def test_a_copy_is_accepted(release: Release, dev: Examples) -> None:
    found = compare_form(release, str(release.path), dev)
    assert found.accepted and found.same == 1.0 and found.loss == 0.0 and found.first is None
    assert found.conversations == 12 and found.places == 36  # two words and the end each


def test_a_model_that_was_never_merged_is_named(release: Release, dev: Examples, chat_model: Path) -> None:
    found = compare_form(release, str(chat_model), dev)
    assert found.cause == "missing merge" and found.first is not None and found.first.part == "answer"
    assert found.first.expected != found.first.found


def test_another_template_is_named_with_its_first_token(release: Release, dev: Examples, changed: Any) -> None:
    def swap(folder: Path) -> None:
        path = folder / "chat_template.jinja"
        path.write_text(path.read_text().replace("message['role'] }}:", "message['role'] }} :").replace("user", "a"))
        path.write_text(path.read_text().replace("<|begin|>{{", "<|begin|>good {{"))

    found = compare_form(release, changed(swap), dev)
    assert found.cause == "template" and found.first is not None
    assert (found.first.part, found.first.place, found.first.found) == ("prompt", 1, "good")


def test_rough_numbers_are_told_from_other_weights(release: Release, dev: Examples, changed: Any) -> None:
    form = changed(noise(0.2))
    assert compare_form(release, form, dev).cause == "precision"
    noise(5.0)(Path(form))
    assert compare_form(release, form, dev).cause == "weights"


def test_another_end_is_named(release: Release, dev: Examples, changed: Any) -> None:
    def end_elsewhere(folder: Path) -> None:
        path = folder / "generation_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": [3, 9]}))

    assert compare_form(release, changed(end_elsewhere), dev).cause == "end tokens"


def test_a_served_copy_is_accepted_and_others_are_named(release: Release, dev: Examples, chat_model: Path) -> None:
    assert served(release, dev, release.path).accepted
    assert served(release, dev, chat_model, tuned=False).cause == "missing merge"
    assert served(release, dev, release.path, more=1).cause == "template"


def test_a_server_that_is_not_there_or_odd_is_an_error(release: Release, dev: Examples) -> None:
    with pytest.raises(ReleaseError, match="cannot be asked"):
        compare_form(release, "http://127.0.0.1:9/v1", dev)
    with serving(lambda body: {"object": "list"}) as address, pytest.raises(ReleaseError, match="does not answer"):
        compare_form(release, address, dev)


def served(release: Release, dev: Examples, folder: Path, *, tuned: bool = True, more: int = 0) -> Comparison:
    """What is found about a server that answers greedily with the model in `folder`."""
    from tuneloop.inference.writing import open_written

    like = open_predictor(release.path)
    writer = like if tuned else open_written(folder, like=like, name="x")

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        if not body:
            return {"data": [{"id": "talk"}]}
        ids = writer.tokenizer.encode([to_text([Message(**each) for each in body["messages"]])]).ids.tolist()
        count, content = len(ids), []
        for _ in range(body["max_tokens"]):
            shares = writer.shares(ids, [len(ids)])[0]
            order = np.argsort(-shares)
            if int(order[0]) in writer.ends:
                break
            top = [
                {"token": writer.tokenizer.text_of([int(each)]), "logprob": float(np.log(shares[each]))}
                for each in order[: body["top_logprobs"]]
            ]
            content.append(top[0] | {"top_logprobs": top})
            ids.append(int(order[0]))
        reason = "stop" if len(content) < body["max_tokens"] else "length"
        choice = {"logprobs": {"content": content}, "finish_reason": reason}
        return {"choices": [choice], "usage": {"prompt_tokens": count + more}}

    with serving(answer) as address:
        return compare_form(release, address, dev)


@contextmanager
def serving(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(answer({}))

        def do_POST(self) -> None:
            self._send(answer(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

        def _send(self, told: dict[str, Any]) -> None:
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *given: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_is_no_number_is_null_in_json() -> None:
    found = Comparison("merged", loss=float("nan"), max_difference=float("inf"), cause="weights").to_json()
    assert (found["loss"], found["max_difference"], found["same"], found["accepted"]) == (None, None, 1.0, False)
