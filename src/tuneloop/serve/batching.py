"""Requests of many clients, computed together.

One thread takes whatever waits, up to a few forward passes, and runs the model on it. It goes on to the
next batch by itself: the event loop, which may be busy reading requests, is never in between.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneloop.core.deployment import ServeConfig
from tuneloop.core.i18n import t
from tuneloop.core.worker import Worker
from tuneloop.inference.ruling import discreet
from tuneloop.serve.known import Found, KnownAnswers
from tuneloop.serve.metrics import Meter
from tuneloop.serve.problems import Problem
from tuneloop.serve.slot import Addressed, Directed, ServedModel, Slot
from tuneloop.tasks.base import Prediction

logger = logging.getLogger("tuneloop.serve")

BYTES_PER_TOKEN = 4
"""About right for English words (4.5 letters) and for Chinese (3 bytes a character)."""

WAITING_SHARE = 0.5
"""Share of its deadline that a request may be expected to wait. One that is let in to wait longer would hold the place
of others and then, more likely than not, be dropped or be computed for nobody."""

TURN_PASSES = 2
"""Forward passes in one turn of the model: engines compute two side by side, and the texts of a turn are
sorted by length before they are cut into passes."""


@dataclass(frozen=True)
class Answer:
    """The predictions of one request and the release that made them.

    Args:
        vectors: what its last layer received of each text, (hidden,); None where they are not wanted or not told.
        known: how many of them were known before; its time says little of the model then.
    """

    release: str
    predictions: list[Prediction]
    vectors: list[Any] | None = None
    known: int = 0


@dataclass(eq=False, slots=True)
class Job:
    """One waiting request; `gone` once nobody waits for it any more, `keep` if its answers are worth keeping."""

    inputs: Sequence[Addressed]
    lengths: list[int]
    future: asyncio.Future[Answer]
    keep: bool
    gone: bool = False

    def release(self, loaded: str) -> str:
        """The release that is asked: the loaded one, or one whose adapter is computed with it."""
        return _release(self.inputs, loaded)


class Batcher(Worker):
    """Answers requests through the model in `slot`, many at once.

    Args:
        slot: holds the model.
        config: limits of queue and batch.
        vectors: whether answers come with vectors, where the model tells them.
        meter: counts; one of its own by default.
        known: answers that were given already; nothing is kept by default.
    """

    def __init__(
        self,
        slot: Slot,
        config: ServeConfig,
        *,
        vectors: bool = False,
        meter: Meter | None = None,
        known: KnownAnswers | None = None,
    ) -> None:
        super().__init__("tuneloop-model")
        self._slot = slot
        self._config = config
        self._vectors = vectors
        self.known = known or KnownAnswers(0)
        self.meter = meter or Meter(lambda: self.waiting)
        self.waiting = 0
        self._jobs: deque[Job] = deque()
        self._wanted = 1
        self._last_texts = 0
        self._ended_s = 0.0
        self._text_s = 0.01

    async def answer(self, inputs: Sequence[Addressed], deadline_s: float, *, keep: bool = True) -> Answer:
        """The answer to one request; its texts are answered by one release, together, or at once if all are known.

        Args:
            inputs: what to judge.
            deadline_s: seconds from now after which nobody wants the answer.
            keep: whether the same may be asked again.

        Raises:
            Problem: 429 if the queue is full or too long for the deadline, 504 after the deadline, 500 if the model
                fails on it.
        """
        at_once = self._at_once(inputs)
        if at_once is not None:
            return at_once
        loop = asyncio.get_running_loop()
        job = Job(inputs, [_length(item) for item in inputs], loop.create_future(), keep)
        self._add(job, deadline_s)
        timer = loop.call_later(deadline_s, self._expire, job)
        try:
            return await job.future
        except asyncio.CancelledError:
            self._drop(job, "client_gone")
            raise
        finally:
            timer.cancel()

    def _at_once(self, inputs: Sequence[Addressed]) -> Answer | None:
        """The answer, if the model that answers now has answered all of it before."""
        model = self._slot.current
        if model is None:
            return None
        known = self.known.find(model, dict.fromkeys(inputs), vectors=self._vectors and model.tells_vectors)
        if not all(item in known for item in inputs):
            return None
        release = _release(inputs, model.release)
        self.meter.batch({release: len(inputs)}, known=len(inputs), computed=0, failed=0)
        return _answer(release, [known[item] for item in inputs], known=len(inputs))

    def _add(self, job: Job, deadline_s: float) -> None:
        with self._changed:
            if self._closing:
                raise Problem(503, t("The server is shutting down."), t("Send the request again."))
            full = self.waiting + len(job.inputs) > self._config.max_queue
            if full or self.waiting * self._text_s > WAITING_SHARE * deadline_s:
                raise self._overloaded()
            self._jobs.append(job)
            self.waiting += len(job.inputs)
            if self.waiting >= self._wanted:
                self._changed.notify()

    def _overloaded(self) -> Problem:
        seconds = max(1, math.ceil(self.waiting * self._text_s))
        return Problem(
            429,
            t("{count} texts are waiting, and no more fit.", count=self.waiting),
            t("Send the request again in {seconds} s.", seconds=seconds),
            headers={"Retry-After": str(seconds)},
        )

    def _expire(self, job: Job) -> None:
        self._drop(job, "deadline")
        if not job.future.done():
            problem = Problem(
                504,
                t("The answer was not ready before the deadline."),
                t("Send fewer texts at once, or allow more time."),
            )
            job.future.set_exception(problem)

    def _drop(self, job: Job, reason: str) -> None:
        """Give the job's place in the queue to others; if it is being computed already, it had none."""
        with self._changed:
            if job.gone:
                return
            job.gone = True
            self.waiting -= len(job.inputs)
        self.meter.dropped(reason, len(job.inputs))

    def _work(self) -> None:
        while True:
            jobs = self._take()
            if jobs:
                self._run(jobs)
            elif self._closing:
                return

    def _take(self) -> list[Job]:
        """The oldest requests, as many as the token budget allows but at least one; empty when closing."""
        with self._changed:
            self._wait()
            model = self._slot.current
            limit = model.max_tokens if model else 0
            jobs: list[Job] = []
            tokens = 0
            while self._jobs:
                job = self._jobs[0]
                if not job.gone:
                    tokens += sum(min(length, limit) for length in job.lengths)
                    if jobs and tokens > TURN_PASSES * self._config.max_batch_tokens:
                        break
                    # it has left the queue: from here on, dropping it frees no place
                    job.gone = True
                    self.waiting -= len(job.inputs)
                    jobs.append(job)
                self._jobs.popleft()
            return jobs

    def _wait(self) -> None:
        """Until something waits; right after a batch, a moment longer, as its clients will be back."""
        while not self._closing:
            if self.waiting:
                left_s = self._ended_s + self._config.max_wait_ms / 1000 - time.monotonic()
                if self.waiting >= self._last_texts or left_s <= 0:
                    return
                self._wanted = self._last_texts
                self._changed.wait(left_s)
            else:
                self._wanted = 1
                self._changed.wait()

    def _run(self, jobs: list[Job]) -> None:
        distinct = dict.fromkeys(item for job in jobs for item in job.inputs)
        started_s = time.monotonic()
        with self._slot.borrow() as model:
            vectors = self._vectors and model.tells_vectors
            known = self.known.find(model, distinct, vectors=vectors)
            asked = [item for item in distinct if item not in known]
            done = model.flops
            found = dict(zip(asked, _predict(model, asked, vectors=vectors) if asked else [], strict=True))
            done = model.flops - done
            worth = {item for job in jobs if job.keep for item in job.inputs}
            sound = {item: each for item, each in found.items() if not isinstance(each, Problem) and item in worth}
            self.known.keep(model, sound, vectors=vectors)
        self._ended_s = time.monotonic()
        self.meter.computed(model.release, seconds=self._ended_s - started_s, flops=done)
        self._last_texts = texts = sum(len(job.inputs) for job in jobs)
        self._text_s += 0.2 * ((self._ended_s - started_s) / texts - self._text_s)
        results = {**known, **found}
        jobs = jobs + self._answered_too(model, results)
        self._count(model.release, jobs, known, found)
        jobs[0].future.get_loop().call_soon_threadsafe(_deliver, jobs, results, model.release, known.keys())

    def _answered_too(self, model: ServedModel, results: Mapping[Addressed, Any]) -> list[Job]:
        """Requests that came meanwhile and ask for nothing but what has just been answered; they leave the queue.

        None if another release answers by now, or if answers may differ from one writing to the next.
        """
        with self._changed:
            if model.writes or self._slot.current is not model:
                return []
            found = [job for job in self._jobs if not job.gone and all(item in results for item in job.inputs)]
            for job in found:
                job.gone = True
                self.waiting -= len(job.inputs)
            return found

    def _count(
        self, release: str, jobs: list[Job], known: Mapping[Addressed, Any], found: Mapping[Addressed, Found | Problem]
    ) -> None:
        texts: Counter[str] = Counter()
        for job in jobs:
            texts[job.release(release)] += len(job.inputs)
        from_before = sum(item in known for job in jobs for item in job.inputs)
        failed = sum(isinstance(each, Problem) for each in found.values())
        self.meter.batch(texts, known=from_before, computed=len(found), failed=failed)


def _deliver(
    jobs: list[Job], results: Mapping[Addressed, Found | Problem], release: str, known: Collection[Addressed]
) -> None:
    for job in jobs:
        if job.future.done():
            continue
        answers: list[Found] = []
        for item in job.inputs:
            found = results[item]
            if isinstance(found, Problem):
                job.future.set_exception(found)
                break
            answers.append(found)
        else:
            from_before = sum(item in known for item in job.inputs)
            job.future.set_result(_answer(job.release(release), answers, known=from_before))


def _release(inputs: Sequence[Addressed], loaded: str) -> str:
    return inputs[0].release if isinstance(inputs[0], Directed) else loaded


def _answer(release: str, found: Sequence[Found], *, known: int) -> Answer:
    vectors = [vector for _, vector in found]
    told = all(vector is not None for vector in vectors)
    return Answer(release, [each for each, _ in found], vectors if told else None, known)


def _predict(model: ServedModel, inputs: list[Any], *, vectors: bool) -> list[Found | Problem]:
    """One result per input; where the model fails, the culprit is found by halving."""
    try:
        if vectors:
            return list(zip(*model.handle.predict_with_vectors(inputs), strict=True))  # type: ignore[attr-defined]
        found = model.handle.predict(inputs)
        return [(each, None) for each in (discreet(found) if model.writes else found)]
    except Exception as error:
        if len(inputs) == 1:
            # its message might quote the text, which must not reach the log
            logger.error("%s failed on a text: %s", model.release, type(error).__name__)
            return [Problem(500, t("The model failed on this text."), t("Send other texts, and report this one."))]
    half = len(inputs) // 2
    return _predict(model, inputs[:half], vectors=vectors) + _predict(model, inputs[half:], vectors=vectors)


def _length(item: Addressed) -> int:
    """About how many tokens, from the number of bytes; what is cut off is not counted by the caller."""
    if isinstance(item, Directed):
        return _length(item.item)
    if isinstance(item, tuple):
        return _length(item[0]) + _length(item[1])
    size = len(item) if item.isascii() else len(item.encode("utf-8", "replace"))
    return 2 + size // BYTES_PER_TOKEN
