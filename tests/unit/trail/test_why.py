"""A served answer is found by its request id, explained, and answered again by the release that gave it."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tuneloop as tl
from tuneloop.cli.app import run as command
from tuneloop.core.config import parse_config
from tuneloop.core.deployment import ServeConfig
from tuneloop.core.errors import DataError, ReleaseError
from tuneloop.core.paths import Workspace
from tuneloop.knowledge import NewIndex, open_index
from tuneloop.releases.proof import real_tools
from tuneloop.releases.write import write_release
from tuneloop.serve.app import create_app
from tuneloop.serve.server import Server, listen
from tuneloop.training.run import tune

RULES = """
version: 1
rules:
  - name: ask-a-person
    if: {contains: "13800138000"}
    then: {flag: true}
    because: "We never decide about a number alone."
"""
PRIVATE = "good good good c 13800138000"
CLASSES = {"data": {"source": "x.csv"}, "name": "m", "release": {"forms": []}}
TRAINING = {"epochs": 4, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, tiny_model: Path, chat_model: Path, made_up) -> Workspace:
    """A release of a classifier with a rule and documents, m-1, and one that writes by chance, w-1."""
    folder = tmp_path_factory.mktemp("why")
    (folder / "rules.yaml").write_text(RULES)
    place = Workspace(folder / "w")
    (folder / "handbook.md").write_text("# Leave\n\nEach employee has 28 days of leave a year.\n")
    with open_index(place.knowledge / "handbook", new=NewIndex()) as index:
        index.add([folder / "handbook.md"], quiet=True)
    for name, task, model, tokens in (
        ("m", {"type": "classification"}, tiny_model, 16),
        ("w", {"type": "generation", "max_new_tokens": 5, "decoding": "sample"}, chat_model, 48),
    ):
        rules = {"knowledge": {"rules": "rules.yaml", "documents": "handbook"}} if name == "m" else {}
        plain = CLASSES | {"name": name, "task": task, "training": TRAINING, **rules}
        config = parse_config(plain | {"model": {"source": str(model), "max_tokens": tokens}})
        data = made_up(task["type"])
        made = tune(config, snapshot=data, workspace=place, base=folder, quiet=True)
        write_release(
            made.path, workspace=place, config=config, dev=data.split("dev").select(range(6)), evaluation={},
            tools=real_tools(), quiet=True,
        )  # fmt: skip
    return place


@contextmanager
def served(workspace: Workspace, release: str, mode: str) -> Iterator[Any]:
    """Asks a server with a trail; gives the X-Request-Id and the body of the answer."""
    config = ServeConfig(port=0, trail=mode)
    listener, ready = listen("127.0.0.1", 0), threading.Event()
    server = Server(create_app(release, workspace=workspace, config=config), listener, ready=lambda _: ready.set())
    thread = threading.Thread(target=server.serve_until_stopped)
    thread.start()
    assert ready.wait(60)

    def ask(path: str, body: Any) -> tuple[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=60)
        connection.request("POST", path, json.dumps(body))
        response = connection.getresponse()
        content = response.read()
        connection.close()
        assert response.status == 200, content
        return response.headers["x-request-id"], content

    try:
        yield ask
    finally:
        server.should_exit = True
        thread.join(60)


def test_an_answer_is_answered_again_exactly_with_its_rules_and_where_it_comes_from(workspace, capsys) -> None:
    root = workspace.root
    with served(workspace, "m-1", "texts") as ask:
        name, _ = ask("/v1/predict", {"texts": ["good good c", "bad a"]})
        private, _ = ask("/v1/predict", {"text": PRIVATE})
        explained, _ = ask("/v1/explain", {"text": "good bad c"})
    assert tl.why(explained, workspace=root)["replay"]["verdict"] == "exact"
    assert command(["why", explained, "--workspace", str(root)]) == 0
    found = tl.why(name, workspace=root)
    assert found["replay"]["verdict"] == "exact" and found["replay"]["difference"] == 0.0
    assert found["replay"]["told"] == found["told"]["exact"] and found["replay"]["environment"] == {}
    assert found["lineage"]["data"]["hash"] == "made-up" and found["lineage"]["trained"]["code"]["source_sha256"]

    unseen = tl.why(private, workspace=root)
    assert unseen["replay"] is None and "13800138000" not in json.dumps(unseen["record"])
    with pytest.raises(DataError, match="not what was sent"):
        tl.why(private, text=PRIVATE.replace("8000", "8001"), workspace=root)
    for given in ({"text": PRIVATE}, {"text": PRIVATE + "\n"}, {"request": {"text": PRIVATE}}):
        again = tl.why(private, **given, workspace=root)
        assert again["replay"]["verdict"] == "exact"
    assert again["replay"]["told"][0]["because"][0]["rule"] == "ask-a-person"
    assert command(["why", private, "--text", PRIVATE, "--workspace", str(root)]) == 0
    said = capsys.readouterr()
    assert "ask-a-person" in said.out and "never decide" in said.out and "exactly" in said.err
    assert command(["trail", "verify", "--workspace", str(root)]) == 0
    with pytest.raises(DataError, match="no request"):
        tl.why("20260101-0000000000000000", workspace=root)


def test_an_answer_from_documents_names_its_passages_and_is_found_again(workspace, capsys) -> None:
    with served(workspace, "m-1", "texts") as ask:
        name, body = ask("/v1/ask", {"question": "How many days of leave does an employee have?"})
        nothing, _ = ask("/v1/ask", {"question": "Who won the world cup?"})
    assert json.loads(body)["citations"][0]["quote"].startswith("Each employee")
    found = tl.why(name, workspace=workspace.root)
    (cited,) = found["told"]["exact"]["citations"]
    assert cited["document"].endswith("handbook.md") and cited["section"] == "Leave" and "quote" not in cited
    assert found["replay"]["verdict"] == "exact"
    assert tl.why(nothing, workspace=workspace.root)["replay"]["told"]["abstained"]
    assert command(["why", name, "--workspace", str(workspace.root)]) == 0
    assert "[1]" in capsys.readouterr().out


def test_another_answer_or_another_release_is_told_apart(workspace, tmp_path, monkeypatch, capsys) -> None:
    place = Workspace(tmp_path / "w")
    shutil.copytree(workspace.root, place.root, ignore=shutil.ignore_patterns("trail"))
    with served(place, "m-1", "answers") as ask:
        name, _ = ask("/v1/predict", {"text": "good good c"})
    told = tl.why(name, text="good good c", workspace=place.root)
    assert told["replay"]["verdict"] == "exact" and "good" not in json.dumps(told["record"])

    from tuneloop.inference.predictor import Predictor

    predict = Predictor.predict
    for moved, verdict in ((0.001, "close"), (0.2, "different")):

        def shifted(self, inputs, moved=moved):
            found = predict(self, inputs)
            return [replace(each, probabilities={k: p * (1 - moved) for k, p in each.probabilities.items()})
                    for each in found]  # fmt: skip

        monkeypatch.setattr(Predictor, "predict", shifted)
        other = tl.why(name, text="good good c", workspace=place.root)["replay"]
        assert other["verdict"] == verdict and 0 < other["difference"] <= moved
    assert command(["why", name, "--text", "good good c", "--workspace", str(place.root)]) == 1
    monkeypatch.undo()
    from tuneloop.releases.manifest import write_manifest

    folder = place.releases / "m-1"
    (folder / "README.md").write_text("another card")
    write_manifest(folder)
    with pytest.raises(ReleaseError, match="not the one that answered"):
        tl.why(name, text="good good c", workspace=place.root)
    (place.root / "trail" / "secret.key").unlink()
    with pytest.raises(DataError, match="secret"):
        tl.why(name, text="good good c", workspace=place.root)


def test_what_a_model_wrote_by_chance_is_written_again(workspace) -> None:
    talk = {"model": "w", "messages": [{"role": "user", "content": "good b"}], "temperature": 1.5, "n": 2}
    with served(workspace, "w-1", "texts") as ask:
        names = [
            ask("/v1/predict", {"texts": ["good a", "bad b"]})[0],
            ask("/v1/chat/completions", talk)[0],
            ask("/v1/chat/completions", talk | {"stream": True})[0],
            ask("/v1/completions", {"model": "w", "prompt": "good", "temperature": 2.0})[0],
        ]
        hidden, _ = ask("/v1/chat/completions", talk | {"messages": [{"role": "user", "content": PRIVATE}]})
    for name in names:
        found = tl.why(name, workspace=workspace.root)
        assert found["replay"]["verdict"] == "exact", found
    private = talk | {"messages": [{"role": "user", "content": PRIVATE}]}
    for given in ({"request": private}, {"text": PRIVATE}):
        assert tl.why(hidden, **given, workspace=workspace.root)["replay"]["verdict"] == "exact"
