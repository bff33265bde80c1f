"""The answers that a client would get: asked over HTTP, on a real socket, before a release is finished."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.deployment import ServeConfig
from tuneloop.core.errors import MissingExtraError, ServeError
from tuneloop.core.fusion import TEXT_ALONE, read_by
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.data.conversation import to_messages
from tuneloop.data.examples import Input
from tuneloop.inference.ruling import KINDS, settle
from tuneloop.media.items import parse
from tuneloop.media.store import fetch, keep

if TYPE_CHECKING:
    from tuneloop.tasks.base import FloatArray, ModelHandle

CHUNK_TEXTS, CHUNK_ITEMS = 64, 4
"""How many are sent at once; of those with files fewer."""
START_S = 60
CONFIG = ServeConfig(
    port=0, deadline_s=60, max_text_chars=1 << 20, max_body_bytes=1 << 30, writing_deadline_s=600, max_messages=1 << 20,
    max_prefix_tokens=0,  # what is known already is added up in another order
    answer_cache_mb=0,
)  # fmt: skip


def scores_over_http(handle: ModelHandle, inputs: Sequence[Input], near: FloatArray) -> FloatArray:
    """What `inference.ruling.final_scores` of the handle becomes when a server answers.

    A model that writes is asked for one at a time.

    Raises:
        MissingExtraError: if the packages of the server are not installed.
        ServeError: if the server does not start or refuses.
    """
    answers: list[dict[str, Any]] = []
    with _served(handle) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CONFIG.writing_deadline_s + 5)
        for asked in _bodies(inputs, handle):
            answers += _ask(connection, asked)["predictions"]
        connection.close()
    scores = handle.task.scores_of(answers, near)
    if handle.task.name not in KINDS:
        return scores
    # the label that was sent counts, not what the probabilities beside it would say
    return settle(handle.task, scores, [_label(each["label"]) for each in answers])


def _label(sent: Any) -> Any:
    """A label as tasks have it, from one that was sent as JSON."""
    return tuple(sent) if isinstance(sent, list) else sent


def _bodies(inputs: Sequence[Input], handle: Any) -> Iterator[dict[str, Any]]:
    """What is asked of the server, one request after the other."""
    if handle.task.generates:
        for each in inputs:
            yield {"messages": [message._asdict() for message in to_messages(str(each))]}
        return
    mixed = read_by(handle) != TEXT_ALONE
    size = CHUNK_ITEMS if mixed else CHUNK_TEXTS
    for start in range(0, len(inputs), size):
        chunk = inputs[start : start + size]
        if mixed:
            yield {"texts": [_sent(each, handle.tokenizer.stores) for each in chunk]}
        else:
            yield {"texts": [each if isinstance(each, str) else {"text": each[0], "pair": each[1]} for each in chunk]}


def _sent(given: Input, stores: Sequence[Path]) -> dict[str, Any]:
    """What a client sends of an item: files as data URIs; of a pair, all but the text beside it."""
    parts = {
        name: part for text in ((given,) if isinstance(given, str) else given) for name, part in parse(text).items()
    }
    return parts | {name: keep(fetch(parts[name], stores), None) for name in ("image", "audio") if name in parts}


def _ask(connection: http.client.HTTPConnection, asked: dict[str, Any]) -> Any:
    body = json.dumps(asked).encode("utf-8")
    connection.request("POST", "/v1/predict", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    if response.status != 200:
        raise ServeError(
            t("The server refused to answer the dev split: {reason}", reason=answer.get("detail", response.status)),
            t("Nothing was released."),
        )
    return answer


@contextmanager
def _served(handle: ModelHandle) -> Iterator[int]:
    """A server on a free port of this machine, while the block runs."""
    try:
        from tuneloop.serve.app import create_app
        from tuneloop.serve.server import Server, listen
        from tuneloop.serve.slot import ServedModel
    except ImportError as error:
        raise MissingExtraError(error.name or "fastapi", "serve") from None
    kept = handle.greedy() if handle.task.generates else _Kept(handle)  # type: ignore[attr-defined]
    model = ServedModel(release="proof", engine=handle.name, handle=kept)
    app = create_app("proof", workspace=Workspace(Path()), config=CONFIG, open_model=lambda _: model)
    listener = listen("127.0.0.1", 0)
    answering = threading.Event()
    server = Server(app, listener, ready=lambda _: answering.set())
    thread = threading.Thread(target=server.serve_until_stopped, daemon=True)
    thread.start()
    try:
        if not answering.wait(START_S):
            raise ServeError(t("The server did not start within {seconds} s.", seconds=START_S))
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


class _Kept:
    """The handle, which stays open when the server that borrowed it stops."""

    def __init__(self, handle: ModelHandle) -> None:
        self.name, self.task, self.predict, self.scores = handle.name, handle.task, handle.predict, handle.scores
        self.modalities = read_by(handle)
