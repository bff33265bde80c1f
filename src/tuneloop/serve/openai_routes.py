"""The routes that clients of OpenAI's interface know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from tuneloop.serve.openai_answers import DONE, Form, encode
from tuneloop.serve.openai_schemas import ChatRequest, CompletionRequest, parse_asked
from tuneloop.serve.problems import Problem
from tuneloop.serve.requests import ClientGone, deadline_of, read_body, unless_gone
from tuneloop.serve.scheduler import Lane
from tuneloop.serve.service import Service
from tuneloop.serve.trail import Noted, said_whole
from tuneloop.serve.writers import check_named, collect, drafts_of, ruled_pieces, stream, told_at_once

WritingRequest = ChatRequest | CompletionRequest

READING_S = 30
"""How long a client may take to read what was written in time."""

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""No proxy keeps or collects the pieces of a stream."""


def add_openai(app: FastAPI, service: Service, describe: Any, problems: Any) -> None:
    """Add /v1/chat/completions and /v1/completions.

    Args:
        app: the server.
        service: what answers.
        describe: a model of a body as OpenAPI has it.
        problems: descriptions of problems by their status.
    """
    statuses = problems(400, 401, 403, 404, 408, 413, 429, 500, 503, 504)

    @app.post(
        "/v1/chat/completions", summary="Answer a conversation", responses=statuses,
        openapi_extra={"requestBody": describe(ChatRequest)},
    )  # fmt: skip
    async def chat(request: Request) -> Response:
        """As OpenAI's interface has it; problems are told in its form. Only models that write answer."""
        return await _answer(request, service, ChatRequest)

    @app.post(
        "/v1/completions", summary="Continue a text", responses=statuses,
        openapi_extra={"requestBody": describe(CompletionRequest)},
    )  # fmt: skip
    async def completions(request: Request) -> Response:
        """As OpenAI's interface has it: the text is continued as it stands, without the form of a conversation."""
        return await _answer(request, service, CompletionRequest)


async def _answer(request: Request, service: Service, kind: type[ChatRequest] | type[CompletionRequest]) -> Response:
    deadline_s = deadline_of(request.headers, service.config.writing_deadline_s)
    body = await read_body(request.receive, service.config.deadline_s)
    noted = service.recorder.begin("/v1/chat/completions" if kind is ChatRequest else "/v1/completions")
    asked = parse_asked(body, kind)
    if asked.seed is None and noted.seed is not None:  # chance that can be repeated
        asked = asked.model_copy(update={"seed": noted.seed})
    if asked.stream:
        events = _events(service, asked, deadline_s, noted)
        first = await unless_gone(
            anext(events), request.receive
        )  # what is wrong with a request has a status of its own
        return EventStream(first, events, limit_s=deadline_s + READING_S, headers=noted.headers)
    whole = await unless_gone(write_whole(service, asked, deadline_s, noted.id), request.receive)
    await noted.answered(whole["model"], lasting(asked), said_whole(whole))
    return Response(encode(whole), headers=noted.headers, media_type="application/json")


def lasting(asked: WritingRequest) -> dict[str, Any]:
    """What of a request decides its answer, as JSON."""
    return asked.model_dump(mode="json", exclude_none=True, exclude={"stream", "stream_options"})


async def write_whole(service: Service, asked: WritingRequest, deadline_s: float, name: str = "") -> dict[str, Any]:
    """The answer at once.

    Args:
        name: what its id is made of; chance by default.

    Raises:
        Problem: if it is not given.
    """
    async with _drafted(service, asked, name) as (lane, form):
        pieces = await collect(service.scheduler, lane, form.drafts, deadline_s)
        return form.whole(ruled_pieces(lane.writer, form.drafts, pieces))


async def _events(
    service: Service, asked: WritingRequest, deadline_s: float, noted: Noted
) -> AsyncGenerator[bytes, None]:
    """The events of a stream; closing it gives up the answers."""
    async with _drafted(service, asked, noted.id) as (lane, form):
        await noted.begun(form.release, lasting(asked))
        write = partial(told_at_once, service.scheduler) if lane.writer.has_rules else service.scheduler.write
        async with (
            aclosing(write(lane, form.drafts, deadline_s)) as told,
            aclosing(noted.listening(told)) as heard,
        ):
            async for events in stream(form, heard):
                if events:
                    yield events


@asynccontextmanager
async def _drafted(service: Service, asked: WritingRequest, name: str = "") -> AsyncIterator[tuple[Lane, Form]]:
    """The model that answers, kept open, and the answers that it is to write."""
    with service.lane() as lane:
        check_named(asked.model, lane.model.release)
        drafts = await asyncio.to_thread(drafts_of, asked, lane.writer, service.config)
        await service.allow(list(dict.fromkeys(draft.asked for draft in drafts)))
        yield lane, Form(
            chat=isinstance(asked, ChatRequest), release=lane.model.release, drafts=drafts,
            text_of=lane.writer.tokenizer.text_of, per_prompt=asked.choices,
            counts=bool(asked.stream) and asked.counts_in_stream, **({"id": name} if name else {}),
        )  # fmt: skip


class EventStream(Response):
    """A stream of server-sent events, given up when the client goes away.

    Args:
        first: the events that are known already.
        events: those that follow.
        limit_s: seconds after which a client that does not read is left.
        headers: more of them.
    """

    media_type = "text/event-stream"

    def __init__(
        self, first: bytes, events: AsyncGenerator[bytes, None], *, limit_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(None, headers={**HEADERS, **(headers or {})})
        del self.headers["content-length"]
        self._first, self._events, self._limit_s = first, events, limit_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all events.

        Raises:
            ClientGone: if the client goes away, or does not read them.
        """
        async with aclosing(self._events):
            try:
                async with asyncio.timeout(self._limit_s):
                    await unless_gone(self._send(send), receive)
            except TimeoutError:
                raise ClientGone from None

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self._first, "more_body": True})
        try:
            async for events in self._events:
                await send({"type": "http.response.body", "body": events, "more_body": True})
        except Problem as problem:  # the status has been sent: clients find the error among the events
            await send({"type": "http.response.body", "body": b"data: " + problem.openai_body() + b"\n\n",
                        "more_body": True})  # fmt: skip
        await send({"type": "http.response.body", "body": DONE})
