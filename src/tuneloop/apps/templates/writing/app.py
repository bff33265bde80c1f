"""The writer: `python app.py` serves the page at /, POST /api/write, and the release's own API under /v1."""

import os
from pathlib import Path
from typing import Literal

from actions import TONES, judged, messages, speller
from fastapi import FastAPI
from pydantic import BaseModel, Field

import tuneloop as tl
from tuneloop.apps import add_page, ask


class Wish(BaseModel):
    """What is to be done with a text."""

    action: Literal["rewrite", "correct", "continue", "summarise", "tone"]
    text: str = Field(min_length=1, max_length=4000)
    tone: Literal["friendly", "formal", "plain"] = TONES[0]


class Written(Wish):
    """What has been written, to be checked."""

    answer: str = Field(max_length=8000)


class Result(BaseModel):
    """An answer; `differences` are pairs of same, ins or del and a stretch of text. Use nothing that is refused."""

    answer: str
    differences: list[tuple[str, str]]
    lost: list[str]
    made_up: list[str]
    refused: bool


def routes(server: FastAPI) -> FastAPI:
    """The server with the writer's own routes."""
    spell = speller()

    def request(wish: Wish) -> dict:
        room = 32 + len(wish.text.split()) * (1 if wish.action == "summarise" else 2)
        return {
            "model": "writer",
            "messages": messages(wish.action, wish.text, wish.tone),
            "max_tokens": min(room, 256),
        }

    @server.post("/api/write")
    async def write(wish: Wish) -> Result:
        """The answer at once, with its differences and what the guard says."""
        if wish.action == "correct":
            return Result(**judged("correct", wish.text, spell.correct(wish.text)))
        told = (await ask(server, "/v1/chat/completions", request(wish))).body
        return Result(**judged(wish.action, wish.text, told["choices"][0]["message"]["content"]))

    @server.post("/api/prepare")
    async def prepare(wish: Wish) -> dict:
        """What to send to /v1/chat/completions for an answer word by word; empty where no model is asked."""
        return {} if wish.action == "correct" else request(wish) | {"stream": True}

    @server.post("/api/check")
    async def check(written: Written) -> Result:
        """Differences, and what the guard says of an answer that came word by word."""
        return Result(**judged(written.action, written.text, written.answer))

    add_page(server, Path(__file__).with_name("page.js"), title="Writing")
    return server


if __name__ == "__main__":
    tl.serve(
        "writer", config="tuneloop.yaml", port=int(os.environ.get("PORT", "8000")), around=routes,
        ready=lambda url: print(f"The writer is open at {url}", flush=True),
    )  # fmt: skip
