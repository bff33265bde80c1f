"""The desk: `python app.py` serves the page at /, POST /api/question, and the triage model's own API under /v1."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastapi import FastAPI
from pydantic import BaseModel, Field
from triage import Reply, decide, held, readings

import tuneloop as tl
from tuneloop.apps import add_page, ask


class Question(BaseModel):
    """What a patient asks."""

    text: str = Field(min_length=1, max_length=1000)


def routes(server: FastAPI) -> FastAPI:
    """The server with the desk's own routes. Documents are asked here alone, never without the triage before."""
    one_thread = ThreadPoolExecutor(1)  # an index belongs to the thread that has opened it
    index = one_thread.submit(tl.open_knowledge, "documents").result()

    @server.post("/api/question")
    async def question(body: Question) -> Reply:
        """Emergency care, a refusal, an answer with its sources, or that there is none."""
        probabilities = []
        if not held(body.text):  # an emergency by the rules needs no model, which may be busy or not there yet
            told = await ask(server, "/v1/predict", {"texts": readings(body.text)})
            probabilities = [one["probabilities"] for one in told.body["predictions"]]
        return await asyncio.get_running_loop().run_in_executor(one_thread, decide, body.text, probabilities, index)

    add_page(server, Path(__file__).with_name("page.js"), title="Health questions")
    return server


if __name__ == "__main__":
    tl.serve(
        "triage", config="tuneloop.yaml", port=int(os.environ.get("PORT", "8000")), around=routes,
        ready=lambda url: print(f"The desk is open at {url}", flush=True),
    )  # fmt: skip
