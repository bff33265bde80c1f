"""Questions that a release answers from the documents that travel with it, with citations."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuneloop.core.i18n import t
from tuneloop.knowledge.answers import Answer, ask
from tuneloop.releases.knowledge import ReleaseWriter, by_rules
from tuneloop.serve.problems import Problem
from tuneloop.serve.slot import ServedModel, Slot

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.knowledge.index import Index

THREADS = 4
MOST_WAITING = 64
"""Questions that may be in work or wait."""


class AskRequest(BaseModel):
    """A question to the documents."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"question": "How long is the warranty?"}]}
    )

    question: str = Field(min_length=1, description="What is asked.")


class CitationOut(BaseModel):
    """Where an answer stands written."""

    number: int = Field(description="As which the answer cites it.")
    document: str
    section: str = Field(description="The headings above it.")
    page: int | None = Field(description="Of a PDF, from 1.")
    start: int = Field(description="Its first character in the document's text.")
    end: int = Field(description="The character behind its last.")
    quote: str
    score: float = Field(description="How far it bears out what it is cited for, 0 to 1.")


class AskResponse(BaseModel):
    """What the documents say, or that they do not."""

    release: str
    question: str
    text: str = Field(description="The answer, which cites by [number]; empty if there is none.")
    citations: list[CitationOut]
    abstained: bool = Field(description="Whether nothing supports an answer.")
    why: str
    support: float = Field(description="Of the question by the best passage, 0 to 1.")


class LockedIndex:
    """An index that several threads search in turn."""

    def __init__(self, index: Index) -> None:
        self._index, self._lock = index, threading.Lock()
        self.embedder = None if index.embedder is None else self._alone(index.embedder)
        self.search, self.weight, self.known = map(self._alone, (index.search, index.weight, index.known))

    def _alone(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def locked(*given: Any, **named: Any) -> Any:
            with self._lock:
                return work(*given, **named)

        return locked

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._index.close()


class Asker:
    """Answers questions in a few threads of their own.

    Args:
        slot: the model, whose documents are asked.
        write: what the model writes to a prompt, if it writes; called in the event loop.
        max_chars: of a question.
    """

    def __init__(self, slot: Slot, write: Callable[[Input, float], Any], *, max_chars: int) -> None:
        self._slot, self._write, self._max_chars = slot, write, max_chars
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tuneloop-ask")
        self._open = 0

    async def answer(self, question: str, deadline_s: float) -> tuple[str, Answer]:
        """The release that answers, and its answer.

        Raises:
            Problem: 404 if no documents travel with the release, 429 if too many wait, 504 after the deadline.
        """
        if self._open >= MOST_WAITING:
            raise Problem(
                429, t("{count} questions are waiting, and no more fit.", count=self._open),
                t("Send the request again in {seconds} s.", seconds=1), headers={"Retry-After": "1"},
            )  # fmt: skip
        self._open += 1
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(deadline_s):
                return await loop.run_in_executor(self._threads, self._ask, question, deadline_s, loop)
        except TimeoutError:
            raise Problem(
                504, t("The answer was not finished before the deadline."), t("Ask again, or allow more time.")
            ) from None
        finally:
            self._open -= 1

    def close(self) -> None:
        """Take no more questions."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _ask(self, question: str, deadline_s: float, loop: asyncio.AbstractEventLoop) -> tuple[str, Answer]:
        with self._slot.borrow() as model:
            if model.documents is None:
                raise Problem(
                    404, t("No documents travel with {name}.", name=model.release),
                    t("Name an index in knowledge.documents, attach it, and release again."),
                )  # fmt: skip
            writer = _Writer(model, self._write, deadline_s, loop) if model.shares_steps else None
            return model.release, by_rules(ask(question, model.documents, writer=writer), model.handle)

    def question(self, body: bytes) -> str:
        """The question in a body.

        Raises:
            Problem: 400, 413, 422 for a bad one.
        """
        try:
            question = AskRequest.model_validate_json(body).question
        except ValidationError as failure:
            wrong = failure.errors(include_url=False, include_input=False)[0]
            status = 400 if wrong["type"] == "json_invalid" else 422
            raise Problem(status, t("The body is no question."), t('Send {"question": "..."}.')) from None
        if len(question) > self._max_chars:
            raise Problem(
                413, t("The question is too long."), t("Send at most {limit} characters.", limit=self._max_chars)
            )
        return question


class _Writer(ReleaseWriter):
    """The served model, asked from a thread; it writes beside the answers to other clients."""

    def __init__(
        self, model: ServedModel, write: Callable[[Input, float], Any], deadline_s: float,
        loop: asyncio.AbstractEventLoop,
    ) -> None:  # fmt: skip
        super().__init__(model.handle)
        self._write, self._deadline_s, self._loop = write, deadline_s, loop

    def __call__(self, prompt: str) -> str:
        future = asyncio.run_coroutine_threadsafe(self._write(prompt, self._deadline_s), self._loop)
        return str(future.result(self._deadline_s))
