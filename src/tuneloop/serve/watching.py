"""Events of a server: what is kept of its answers, and feedback on them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tuneloop.core import fsio
from tuneloop.core.errors import StorageError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.watching import WatchConfig
from tuneloop.serve.batching import Answer
from tuneloop.serve.feedback_schemas import EventsOut, FeedbackRequest, check_key, parse_feedback
from tuneloop.serve.metrics import Meter
from tuneloop.serve.problems import Problem
from tuneloop.serve.slot import ServedModel
from tuneloop.serve.trail import Noted
from tuneloop.trail.veil import make_secret
from tuneloop.watch.base import Feedback
from tuneloop.watch.making import Answered, EventMaker
from tuneloop.watch.store import Receipt, Verdict, open_store, place_of_store
from tuneloop.watch.writer import EventWriter, QueueFull

DISK_S = 10.0
"""How long feedback waits until it is on the disk; then it is not acknowledged: 503."""


class Watcher:
    """Writes events of answers and takes feedback; does nothing if `watch.events` is off.

    Args:
        config: what is kept, and where.
        workspace: whose file and secret are taken.
        meter: shows the counters.
    """

    def __init__(self, config: WatchConfig, workspace: Workspace, meter: Meter) -> None:
        self.config = config
        self._workspace, self._meter = workspace, meter
        self._writer: EventWriter | None = None
        self._maker = EventMaker(config, b"")
        self._labels: dict[str, frozenset[str]] = {}
        self._model: ServedModel | None = None

    @property
    def wants_vectors(self) -> bool:
        """Whether vectors are kept where the engine tells them."""
        return self.config.events == "vectors"

    def start(self) -> None:
        """Open the store.

        Raises:
            StorageError: if it refuses.
            MissingExtraError: if the package for its database is not installed.
        """
        if not self.config.used:
            return
        root = self._workspace.root
        with fsio.storage_errors(root):
            root.mkdir(parents=True, exist_ok=True)
        self._maker = EventMaker(self.config, make_secret(root))
        writer = EventWriter(
            lambda: open_store(self.config, self._workspace), self._maker,
            max_queue=self.config.max_queue, keep_days=self.config.keep_days,
        )  # fmt: skip
        writer.start()
        self._meter.watch_events(lambda: writer.counts, lambda: writer.waiting)
        self._writer = writer

    def close(self) -> None:
        """Write what waits."""
        if self._writer is not None:
            self._writer.close()

    def loaded(self, model: ServedModel) -> None:
        """A release answers from now on."""
        self._model = model
        self._labels[model.release] = frozenset(model.handle.task.labels)

    def notices(self) -> list[str]:
        """What a server says of itself when it starts, in the language in force."""
        if not self.config.used:
            return []
        kept = {
            "hashes": t("the answer and a keyed hash of the text"),
            "vectors": t("the answer, a keyed hash of the text and its vector"),
            "texts": t("the answer and the text with personal data taken out where it is found"),
        }
        what = t("the answer and the text as it came") if self._keeps_all else kept[self.config.events]
        place = place_of_store(self.config, self._workspace)
        said = [t("Of every text in /v1/predict is kept for {days} days in {place}: {what}.",
                  days=self.config.keep_days, place=place, what=what)]  # fmt: skip
        if self.wants_vectors and self._model is not None and not self._model.tells_vectors:
            said.append(
                t("The engine {engine} tells no vectors, so none are kept; --engine torch-bf16 tells them.",
                  engine=self._model.engine)
            )  # fmt: skip
        return said

    def answered(self, noted: Noted, answer: Answer) -> None:
        """An answer leaves: note what is kept of each of its texts. Waits for nothing."""
        if self._writer is None:
            return
        at, labels = time.time(), self._labels.get(answer.release, frozenset())
        vectors = answer.vectors or [None] * len(answer.predictions)
        found = zip(noted.inputs, answer.predictions, vectors, strict=True)
        for number, (item, prediction, vector) in enumerate(found):
            event = f"{noted.id}.{number}"
            self._writer.add(
                Answered(event, at, answer.release, item, prediction, noted.took_ms, labels, vector, noted.tags)
            )

    async def feedback(self, body: bytes, key: str | None) -> tuple[int, dict[str, Any]]:
        """The status and the answer to feedback, which is on the disk when this returns.

        Args:
            body: of the request.
            key: its header Idempotency-Key.

        Raises:
            Problem: 400 or 422 if it does not fit, 404 if there is no such event, 422 if the key has other feedback,
                429 if too much waits, 503 if the disk does not take it.
        """
        asked = parse_feedback(body)
        given = self._feedback(asked, check_key(asked, key))
        if self._writer is None:
            raise Problem(
                404, t("This server keeps no events to give feedback on."), t("Set watch.events, then serve.")
            )
        receipt = await self._written(given, self._writer)
        if receipt.verdict is Verdict.UNKNOWN:
            raise Problem(
                404, t("There is no event {name}.", name=given.event[:100]),
                t("An event is named by the X-Request-Id of its answer, a dot and the number of its text, from 0."),
            )  # fmt: skip
        if receipt.verdict is Verdict.OTHER or receipt.feedback is None:
            raise Problem(
                422, t("There is other feedback with this key already."),
                t("Send each feedback with a key of its own; repeat it with the same key and the same body."),
            )  # fmt: skip
        self._meter.fed_back(receipt.verdict)
        return 201 if receipt.verdict is Verdict.NEW else 200, _shown(receipt.feedback)

    def state(self) -> EventsOut:
        """What is kept, and how it went since the server started."""
        writer = self._writer
        counts: Mapping[str, int] = {} if writer is None else writer.counts
        return EventsOut(
            kept=self.config.events, waiting=0 if writer is None else writer.waiting,
            written=counts.get("written", 0), dropped=counts.get("dropped", 0), unfit=counts.get("unfit", 0),
            failed_writes=counts.get("failed", 0), keep_days=self.config.keep_days,
        )  # fmt: skip

    @property
    def _keeps_all(self) -> bool:
        return self.config.events == "texts" and self.config.raw

    def _feedback(self, asked: FeedbackRequest, key: str) -> Feedback:
        return Feedback(
            key=key,
            event=asked.event,
            label=asked.label,
            good=asked.good,
            at=time.time(),
            by=asked.by,
            comment=self._maker.shown(asked.comment),
            digest=self._maker.hash_of(asked.model_dump(exclude={"key"})),
        )

    async def _written(self, given: Feedback, writer: EventWriter) -> Receipt:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()

        def settle(found: Receipt | Exception) -> None:
            if future.done():
                return
            if isinstance(found, Exception):
                future.set_exception(found)
            else:
                future.set_result(found)

        def told(found: Receipt | Exception) -> None:
            with suppress(RuntimeError):  # the loop has ended: nobody is left to be told
                loop.call_soon_threadsafe(settle, found)

        try:
            writer.add_feedback(given, told)
            async with asyncio.timeout(DISK_S):
                return await future
        except QueueFull:
            raise Problem(
                429, t("Too much feedback waits for the disk."), t("Send the request again in {seconds} s.", seconds=1),
                headers={"Retry-After": "1"},
            ) from None  # fmt: skip
        except TimeoutError:
            raise Problem(
                503, t("The feedback did not reach the disk in time."),
                t("Send it again with the same key: it is never counted twice."), headers={"Retry-After": "1"},
            ) from None  # fmt: skip
        except StorageError:  # its sentence names places of this machine
            raise Problem(
                503, t("The feedback could not be written."),
                t("Send it again with the same key: it is never counted twice."), headers={"Retry-After": "5"},
            ) from None  # fmt: skip


def _shown(feedback: Feedback) -> dict[str, Any]:
    """What a client is told; the same however often it asks."""
    return {
        "key": feedback.key, "event": feedback.event, "label": feedback.label, "good": feedback.good,
        "by": feedback.by, "comment": feedback.comment, "at": feedback.at, "number": feedback.number,
    }  # fmt: skip
