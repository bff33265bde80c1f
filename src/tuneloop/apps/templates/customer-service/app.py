"""The desk: `python app.py` serves the page at /, POST /api/message, and the release's own API under /v1."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, Field

import tuneloop as tl
from tuneloop.apps import add_page, ask

HERE = Path(__file__).parent
PERSON = "person"
QUESTIONS = {
    "track_order": "How do I see where a parcel is?",
    "return_item": "How can I return goods?",
    "refund_status": "When is the money paid back after a return?",
    "cancel_order": "Until when can an order be cancelled?",
    "change_address": "How can the delivery address be changed?",
    "warranty": "What do I send for a warranty claim?",
}
"""What the handbook is asked for an intent whose own words found nothing in it."""


class Message(BaseModel):
    """What a customer writes."""

    text: str = Field(min_length=1, max_length=2000)
    conversation: str = Field("", max_length=100)


class Reply(BaseModel):
    """What the desk says: an answer with the places that it rests on, or that a person takes over and why."""

    intent: str
    sure: bool
    details: dict[str, list[str]]
    answer: str
    citations: list[dict[str, Any]]
    hand_over: str
    event: str


def routes(server: FastAPI) -> FastAPI:
    """The server with the desk's own routes."""
    slots, lock = tl.load("slots").predictor(), threading.Lock()

    def details_in(text: str) -> dict[str, list[str]]:
        with lock:
            found = slots.predict([text])[0].label
        names: dict[str, list[str]] = {}
        for span in found:
            names.setdefault(span.label, []).append(text[span.start : span.end])
        return names

    @server.post("/api/message")
    async def message(body: Message) -> Reply:
        """Intent, details, and an answer from the handbook; a person where the desk is not sure or has no source."""
        told = await ask(server, "/v1/predict", {"text": body.text}, session=body.conversation)
        intent = told.body["predictions"][0]
        details = await asyncio.to_thread(details_in, body.text)
        reply = Reply(
            intent=intent["label"], sure=not intent["abstained"], details=details, answer="", citations=[],
            hand_over="", event=f"{told.request}.0" if told.request else "",
        )  # fmt: skip
        if intent["abstained"]:
            reply.hand_over = "not sure what is wanted"
        elif intent["label"] == PERSON:
            reply.hand_over = "asked for a person"
        else:
            for question in (body.text, QUESTIONS.get(reply.intent)):
                found = (await ask(server, "/v1/ask", {"question": question})).body if question else {"abstained": True}
                if not found["abstained"]:
                    reply.answer, reply.citations = found["text"], found["citations"]
                    return reply
            reply.hand_over = "the handbook does not say"
        return reply

    add_page(server, HERE / "page.js", title="Help desk")
    return server


if __name__ == "__main__":
    tl.serve(
        "desk", config="tuneloop.yaml", port=int(os.environ.get("PORT", "8000")), around=routes,
        ready=lambda url: print(f"The desk is open at {url}", flush=True),
    )  # fmt: skip
