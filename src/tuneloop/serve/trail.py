"""What the server puts into the audit trail: every answer, on the disk before the client has it."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from tuneloop.core.deployment import ServeConfig
from tuneloop.core.errors import StorageError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.provenance import code_version, environment
from tuneloop.data.examples import Input
from tuneloop.inference.continuous import Piece
from tuneloop.serve.problems import Problem
from tuneloop.serve.slot import ServedModel
from tuneloop.trail.chain import find_key
from tuneloop.trail.veil import seal
from tuneloop.trail.writer import TrailWriter

MOST_OPEN = 1024
"""Records that may wait for the disk; further answers wait for a place."""

PLACE_S = 1.0
"""How long an answer waits for such a place; then it is not given: 503."""

DISK_S = 10.0
"""How long an answer waits until its record is on the disk; then it is not given: 503."""

REQUEST_ID = "X-Request-Id"
VEIL_OF = {"answers": "texts", "texts": "personal data"}


class Recorder:
    """Adds what the routes tell it to the trail of a workspace; does nothing if `serve.trail` is off.

    Args:
        config: whose `trail` says what is kept.
        workspace: where the trail lies.
        names: whether requests to /v1/predict have a name without a trail too.
    """

    def __init__(self, config: ServeConfig, workspace: Workspace, *, names: bool = False) -> None:
        self.on = config.trail != "off"
        self._names = names
        self._config, self._folder = config, workspace.trail
        self._writer: TrailWriter | None = None
        self._models: dict[str, dict[str, Any]] = {}
        self._labels: dict[str, frozenset[str]] = {}
        self._places = asyncio.Semaphore(MOST_OPEN)

    def start(self) -> None:
        """Open the trail.

        Raises:
            ConfigError: if the key of the trail is too short.
            StorageError: see `TrailWriter.start`.
        """
        if not self.on:
            return
        writer = TrailWriter(self._folder, key=find_key())
        writer.start()
        self._writer = writer
        if writer.torn is not None:
            sentence = t(
                "The last line of {file} in the trail had no end; {bytes} bytes were cut off, which the trail notes.",
                file=writer.torn.file, bytes=writer.torn.size_bytes,
            )  # fmt: skip
            print(sentence, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Write what waits."""
        if self._writer is not None:
            self._writer.close()

    def loaded(self, model: ServedModel) -> None:
        """A release answers from now on; its answers are recorded behind this."""
        if self._writer is None:
            return
        task = model.handle.task
        about = {"release": model.release, "engine": model.engine, "manifest": model.manifest, "task": task.name}
        self._models[model.release], self._labels[model.release] = about, frozenset(task.labels)
        limits = self._config.model_dump(mode="json", exclude={"host", "port"})
        record = {"kind": "loaded", **_now(), **about, "code": code_version(), "environment": environment()}
        self._writer.add({**record, "serve": limits}, lambda _: None)

    def begin(self, route: str) -> Noted:
        """What is noted of a request that has come."""
        return Noted(self, route, named=self.on or (self._names and route == "/v1/predict"))

    async def put(self, record: dict[str, Any]) -> None:
        """Return when the record is on the disk.

        Raises:
            Problem: 503 if the disk does not take it, or not soon enough.
        """
        try:
            async with asyncio.timeout(PLACE_S):
                await self._places.acquire()
            async with asyncio.timeout(DISK_S):
                await self._added(record)
        except TimeoutError:
            raise Problem(
                503, t("The audit trail cannot keep up, and no answer goes out without it."),
                t("Send the request again in {seconds} s.", seconds=1), headers={"Retry-After": "1"},
            ) from None  # fmt: skip
        except StorageError as error:
            raise Problem.of(error, 503) from None

    def put_without_waiting(self, record: dict[str, Any]) -> None:
        """For a client that has gone: nobody waits for this answer any more."""
        assert self._writer is not None
        self._writer.add(record, lambda _: None)

    def sealed(self, release: str, told: Any) -> dict[str, Any]:
        """An answer as it may be kept."""
        assert self._writer is not None
        kept = keep(told, self._config.trail, self._labels[release])
        return seal(kept, "personal data", self._writer.secret)

    def record_of(self, noted: Noted, release: str, asked: Any) -> dict[str, Any]:
        """A record without its answer."""
        assert self._writer is not None
        seed = {} if noted.used_seed is None else {"seed": noted.used_seed}
        about = {"request": noted.id, "route": noted.route, "kept": self._config.trail, **self._models[release]}
        return {**about, **_now(), "asked": seal(asked, VEIL_OF[self._config.trail], self._writer.secret), **seed}

    def _added(self, record: dict[str, Any]) -> asyncio.Future[None]:
        """Resolved when the record is on the disk, or has failed; its place is free then, whoever still waits."""
        assert self._writer is not None
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def settle(error: Exception | None) -> None:
            self._places.release()
            if future.done():
                return
            future.set_result(None) if error is None else future.set_exception(error)

        def told(error: Exception | None) -> None:
            loop.call_soon_threadsafe(settle, error)

        self._writer.add(record, told)
        return future


class Noted:
    """One request on its way through a route, and what the trail gets of it.

    Args:
        recorder: where it goes.
        route: of the request.
        named: whether it has a name that its answer tells.

    `inputs` and `tags` are what was asked, once that is known.
    """

    def __init__(self, recorder: Recorder, route: str, *, named: bool = False) -> None:
        self._recorder = recorder
        self.route = route
        self.inputs: Sequence[Input] = ()
        self.tags: Mapping[str, str] = {}
        self.id = f"{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(8)}" if named else ""
        self.seed = secrets.randbelow(1 << 31) if recorder.on else None
        self.used_seed: int | None = None
        self._started_s = time.perf_counter()
        self._begun: tuple[str, Any] | None = None
        self._pieces: dict[int, list[Piece]] = {}

    @property
    def headers(self) -> dict[str, str]:
        """The name of the request, for whoever wants to ask about its answer later."""
        return {REQUEST_ID: self.id} if self.id else {}

    @property
    def took_ms(self) -> float:
        """Milliseconds since it came."""
        return 1000 * (time.perf_counter() - self._started_s)

    async def answered(self, release: str, asked: Any, told: Any) -> None:
        """Return when the answer may leave: its record is on the disk.

        Args:
            asked: the request: its body, or what of it counts as JSON.
            told: the answer as JSON.

        Raises:
            Problem: 503 if the disk does not take it.
        """
        if self._recorder.on:
            plain = from_json(asked) if isinstance(asked, bytes) else asked
            await self._recorder.put(self._record(release, plain, told, finish="whole"))

    async def begun(self, release: str, asked: Any) -> None:
        """Return when the first piece of a stream may leave: the request is on the disk."""
        if self._recorder.on:
            self._begun = (release, asked)
            await self._recorder.put({"kind": "begun", **self._recorder.record_of(self, release, asked)})

    async def listening(self, told: AsyncIterator[tuple[int, Piece]]) -> AsyncGenerator[tuple[int, Piece], None]:
        """The pieces of a stream, remembered; before it ends, what they said is on the disk.

        A stream that is given up is recorded with what had been said until then.
        """
        if self._begun is None:
            async for each in told:
                yield each
            return
        finish = "given up"
        try:
            async for number, piece in told:
                self._pieces.setdefault(number, []).append(piece)
                yield number, piece
            finish = "whole"
        finally:
            record = self._record(*self._begun, self._said(), finish=finish)
            if finish != "whole":
                self._recorder.put_without_waiting(record)
        await self._recorder.put(record)

    def _said(self) -> list[dict[str, Any]]:
        return [said(self._pieces.get(number, [])) for number in range(max(self._pieces, default=-1) + 1)]

    def _record(self, release: str, asked: Any, told: Any, *, finish: str) -> dict[str, Any]:
        answer = {"told": self._recorder.sealed(release, told), "finish": finish, "took_ms": round(self.took_ms, 1)}
        return {"kind": "answer", **self._recorder.record_of(self, release, asked), **answer}


def said(pieces: Iterable[Piece]) -> dict[str, Any]:
    """What the pieces of a written answer say together."""
    parts = list(pieces)
    last = parts[-1] if parts else Piece("")
    text = "".join(part.text for part in parts)
    return _written(text, last.finish, last.because)


def said_whole(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What an answer of OpenAI's interface says, without its frame."""
    return [
        _written(
            each["message"]["content"] if "message" in each else each["text"], each["finish_reason"],
            each.get("because", ()),
        )
        for each in whole["choices"]
    ]  # fmt: skip


def said_of_documents(answer: Any) -> dict[str, Any]:
    """What an answer from documents says; passages are named by their place, not quoted."""
    plain = answer.to_json()
    cited = [{key: value for key, value in each.items() if key != "quote"} for each in plain["citations"]]
    return {"text": plain["text"], "abstained": plain["abstained"], "support": plain["support"], "citations": cited}


def said_of_words(found: Any) -> dict[str, Any]:
    """What an explanation says; words are named by their place in the request, not quoted."""
    plain = found.to_json()
    names = ("method", "label", "scale", "base", "output", "error", "error_kind", "asked", "truncated")
    units = [{key: value for key, value in each.items() if key != "text"} for each in plain["units"]]
    return {**{name: plain[name] for name in names}, "units": units}


def keep(told: Any, mode: str, labels: frozenset[str]) -> Any:
    """An answer without the stretches of the request that it repeats, where only answers are kept.

    Those are what made a rule hold, the words of an extracted answer, and choices that came with the request, which are
    named by their number. What a model wrote is its answer.
    """
    if mode == "texts" or not isinstance(told, list):
        return told
    return [_kept(each, labels) for each in told]


def _kept(answer: dict[str, Any], labels: frozenset[str]) -> dict[str, Any]:
    kept = dict(answer)
    if "because" in kept:
        kept["because"] = [{key: each[key] for key in each if key != "matched"} for each in kept["because"]]
    shares = kept.get("probabilities")
    if shares and not labels:
        kept["label"] = list(shares).index(kept["label"])
        kept["probabilities"] = list(shares.values())
    if isinstance(kept.get("label"), list):
        kept["label"] = [_place(each, labels) for each in kept["label"]]
    return kept


def _place(span: Any, labels: frozenset[str]) -> Any:
    if not isinstance(span, dict) or span["label"] in labels:
        return span
    return {key: value for key, value in span.items() if key != "label"}


def _written(text: str, finish: Any, because: Iterable[Any]) -> dict[str, Any]:
    reasons = [dict(each) for each in because]
    return {"text": text, "finish": finish} | ({"because": reasons} if reasons else {})


def _now() -> dict[str, str]:
    return {"time": datetime.now(UTC).isoformat(timespec="milliseconds")}
