"""The routes for feedback and for the state of events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from tuneloop.serve.feedback_schemas import EventsOut, FeedbackOut, FeedbackRequest
from tuneloop.serve.openai_answers import encode
from tuneloop.serve.requests import read_body
from tuneloop.serve.service import Service

KEY_HEADER = {
    "name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string", "maxLength": 200},
    "description": "A name of your own for this feedback; needed here or as the field key.",
}  # fmt: skip


def add_feedback(
    app: FastAPI,
    service: Service,
    json_body: Callable[..., dict[str, Any]],
    problems: Callable[..., dict[int | str, dict[str, Any]]],
) -> None:
    """Add /v1/feedback and /v1/events.

    Args:
        app: gets the routes.
        service: takes the feedback.
        json_body: describes a body.
        problems: describes what may go wrong.
    """

    @app.post(
        "/v1/feedback",
        summary="Say what is right",
        response_model=FeedbackOut,
        responses={
            201: {"model": FeedbackOut, "description": "It is kept, and on the disk."},
            **problems(400, 401, 403, 404, 408, 413, 422, 429, 503),
        },
        openapi_extra={"requestBody": json_body(FeedbackRequest), "parameters": [KEY_HEADER]},
    )
    async def feedback(request: Request) -> Response:
        """201 once it is on the disk; the same key with the same body again is 200 with the same answer, kept once."""
        body = await read_body(request.receive, service.config.deadline_s)
        status, told = await service.watcher.feedback(body, request.headers.get("idempotency-key"))
        return Response(encode(told), status, media_type="application/json")

    @app.get("/v1/events", summary="What is kept of answers", responses=problems(401, 403))
    async def events() -> EventsOut:
        """Whether events are written, and how many were written, wait or are lost; no event itself."""
        return service.watcher.state()
