"""Requests of many clients to a model that writes: one thread takes step after step, and tells what each has added."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from tuneloop.core.deployment import ServeConfig
from tuneloop.core.i18n import t
from tuneloop.core.worker import Worker
from tuneloop.inference.continuous import ContinuousBatch, Draft, Limits, NoMemory, Piece, QueueFull, TooLong
from tuneloop.serve.metrics import Meter
from tuneloop.serve.problems import Problem, too_long
from tuneloop.serve.slot import ServedModel, Slot

if TYPE_CHECKING:
    from tuneloop.inference.writing import Writer

logger = logging.getLogger("tuneloop.serve")


class Lane:
    """One model with the answers that it writes; it stays open while anybody uses it, also when another took over.

    Args:
        model: what writes.
        config: limits.
    """

    def __init__(self, model: ServedModel, config: ServeConfig) -> None:
        self.model = model
        self.writer: Writer = model.handle  # type: ignore[assignment]
        self.batch: ContinuousBatch = self.writer.side_by_side(limits_of(config))
        self.users = 0
        self.borrowed = ExitStack()
        self.queues: dict[Draft, asyncio.Queue[tuple[Draft, Piece]]] = {}


class Scheduler(Worker):
    """Lets the model in `slot` write, a few answers side by side.

    Args:
        slot: holds the model.
        config: limits.
        meter: counts.
    """

    def __init__(self, slot: Slot, config: ServeConfig, meter: Meter) -> None:
        super().__init__("tuneloop-writer")
        self._slot = slot
        self._config = config
        self._meter = meter
        self._lanes: dict[ServedModel, Lane] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._answer_s = 1.0
        meter.watch_sequences(lambda: self.running, lambda: self.waiting)

    @property
    def running(self) -> int:
        """Answers that are being written."""
        return sum(lane.batch.running for lane in list(self._lanes.values()))

    @property
    def waiting(self) -> int:
        """Prompts that wait."""
        return sum(lane.batch.waiting for lane in list(self._lanes.values()))

    def start(self) -> None:
        """Begin to write; called in the event loop that asks."""
        self._loop = asyncio.get_running_loop()
        super().start()

    def wake(self) -> None:
        """Look again at what there is to do, such as letting go of a model that another has replaced."""
        with self._changed:
            self._changed.notify()

    @contextmanager
    def lane(self) -> Iterator[Lane]:
        """The current model, which stays open until the block ends."""
        with self._changed:
            lane = self._lane()
            lane.users += 1
        try:
            yield lane
        finally:
            with self._changed:
                lane.users -= 1
                self._changed.notify()

    async def write(
        self, lane: Lane, drafts: Sequence[Draft], deadline_s: float
    ) -> AsyncGenerator[tuple[int, Piece], None]:
        """What is added to each of these answers, with its number, until all have ended.

        An answer that nobody waits for any more is given up: the caller has to close the iterator.

        Raises:
            Problem: 429 if the queue is full, 503 if memory does not suffice, 504 after the deadline, 500 if the model
                fails.
        """
        queue: asyncio.Queue[tuple[Draft, Piece]] = asyncio.Queue()
        open_drafts = {draft: number for number, draft in enumerate(drafts)}
        began_s, first, reason = time.monotonic(), True, "client_gone"
        until_s = asyncio.get_running_loop().time() + deadline_s
        try:
            self._add(lane, drafts, queue)
            while open_drafts:
                async with asyncio.timeout_at(until_s):
                    draft, piece = await queue.get()
                if first:
                    self._meter.first_token_seconds.observe(time.monotonic() - began_s)
                    first = False
                if piece.error is not None:
                    reason = "failed"
                    raise _failed(lane, piece.error)
                number = open_drafts[draft]
                if piece.last:
                    del open_drafts[draft]
                    self._meter.written(lane.model.release, draft)
                yield number, piece
            self._answer_s += 0.2 * (time.monotonic() - began_s - self._answer_s)
        except TimeoutError:
            reason = "deadline"
            raise Problem(
                504,
                t("The answer was not finished before the deadline."),
                t("Ask for fewer tokens, or allow more time."),
            ) from None
        except Problem as problem:
            reason = "refused" if problem.status in (429, 503) else reason
            raise
        finally:
            self._forget(lane, open_drafts, reason)

    def _lane(self) -> Lane:
        """The lane of the current model, a new one if need be."""
        stack = ExitStack()
        model = stack.enter_context(self._slot.borrow())
        lane = self._lanes.get(model)
        if lane is not None:
            stack.close()
            return lane
        with stack:
            lane = Lane(model, self._config)
            lane.borrowed = stack.pop_all()
        self._lanes[model] = lane
        return lane

    def _add(self, lane: Lane, drafts: Sequence[Draft], queue: asyncio.Queue[tuple[Draft, Piece]]) -> None:
        """All of these answers, or none."""
        with self._changed:
            if self._closing:
                raise Problem(503, t("The server is shutting down."), t("Send the request again."))
            if lane.batch.waiting and lane.batch.waiting + len(drafts) > self._config.max_queue:
                raise self._overloaded(lane)
            try:
                lane.queues |= dict.fromkeys(drafts, queue)
                lane.batch.add(*drafts)
            except QueueFull:
                raise self._overloaded(lane) from None
            except TooLong:
                raise too_long() from None
            self._changed.notify()

    def _overloaded(self, lane: Lane) -> Problem:
        rounds = 1 + lane.batch.waiting / self._config.max_sequences
        seconds = max(1, math.ceil(rounds * self._answer_s))
        return Problem(
            429,
            t("{count} prompts are waiting, and no more fit.", count=lane.batch.waiting),
            t("Send the request again in {seconds} s.", seconds=seconds),
            headers={"Retry-After": str(seconds)},
        )

    def _forget(self, lane: Lane, drafts: dict[Draft, int], reason: str) -> None:
        """Give up these answers."""
        with self._changed:
            given_up = [draft for draft in drafts if lane.queues.pop(draft, None) is not None]
            for draft in given_up:
                lane.batch.cancel(draft)
            self._changed.notify()
        if given_up:
            self._meter.dropped(reason, len(given_up))

    def _work(self) -> None:
        while self._wait():
            for lane in list(self._lanes.values()):
                self._step(lane)
            self._close_unused()
        self._close_unused(all_lanes=True)

    def _wait(self) -> bool:
        """Until there is something to do; False when all is done and the server closes."""
        with self._changed:
            while not any(self._busy(lane) or self._unused(lane) for lane in self._lanes.values()):
                if self._closing:
                    return False
                self._changed.wait()
            return True

    def _busy(self, lane: Lane) -> bool:
        return lane.batch.running > 0 or lane.batch.waiting > 0

    def _unused(self, lane: Lane) -> bool:
        return lane.users == 0 and lane.model is not self._slot.current and not self._busy(lane)

    def _step(self, lane: Lane) -> None:
        try:
            told = lane.batch.step()
        except Exception as error:
            told = [(draft, Piece("", error=error)) for draft in lane.batch.clear()]
        if told and self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended: nobody is left to be told
                self._loop.call_soon_threadsafe(_deliver, lane, told)

    def _close_unused(self, *, all_lanes: bool = False) -> None:
        with self._changed:
            closing = [lane for lane in self._lanes.values() if all_lanes or self._unused(lane)]
            for lane in closing:
                del self._lanes[lane.model]
        for lane in closing:
            lane.borrowed.close()


def limits_of(config: ServeConfig) -> Limits:
    """The limits of a model that writes."""
    return Limits(
        sequences=config.max_sequences,
        tokens=config.max_cached_tokens,
        waiting_tokens=config.max_waiting_tokens,
        prefix_tokens=config.max_prefix_tokens,
    )


def _deliver(lane: Lane, told: list[tuple[Draft, Piece]]) -> None:
    for draft, piece in told:
        queue = lane.queues.get(draft)
        if queue is not None:
            queue.put_nowait((draft, piece))
            if piece.finish:  # one that failed is counted when its request is given up
                del lane.queues[draft]


def _failed(lane: Lane, error: Exception) -> Problem:
    # the message of the exception might quote a text, which must not reach the log
    logger.error("%s failed while writing: %s", lane.model.release, type(error).__name__)
    if isinstance(error, NoMemory):
        return Problem(
            503, t("There was not enough memory for this answer beside the others."),
            t("Send the request again in {seconds} s.", seconds=1), headers={"Retry-After": "1"},
        )  # fmt: skip
    return Problem(500, t("The model failed on this text."), t("Send other texts, and report this one."))
