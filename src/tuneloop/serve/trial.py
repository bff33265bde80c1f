"""A candidate beside the current release: which of both answers a request, and what is counted of them."""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from statistics import median
from typing import TYPE_CHECKING, Any

from tuneloop.core.deploying import DeployConfig
from tuneloop.core.deployment import ServeConfig
from tuneloop.releases.deployment import Candidate
from tuneloop.serve.batching import Answer, Batcher
from tuneloop.serve.known import KnownAnswers
from tuneloop.serve.metrics import Meter
from tuneloop.serve.problems import Problem
from tuneloop.serve.slot import Addressed, ServedModel, Slot
from tuneloop.watch.canary import Comparison, Side

if TYPE_CHECKING:
    from tuneloop.tasks.base import Prediction

MOST_SHADOWED = 64
"""Texts that may wait for a shadow; beyond that a request is not given to it."""

PATIENCE = 0.5
"""Share of a request's deadline after which a canary has failed, so that the current release can still answer. The
current one has failed by then too, though its answer still counts for the client: both are measured alike."""

LAST = 500
"""Answers of each side by which its median time is told."""

FIRST = 50
"""Answers of the current release before it is said what is slow."""

NOTICED_S = 0.005
"""A request is not slow that takes less longer than the median: nobody notices it, and below it one sees how busy the
machine is with other things rather than what the release costs."""

MOST_PAIRS = 100
"""Kinds of differences between two answers that are counted apart."""


class Trial:
    """An open candidate, and what was counted since it is being tried.

    Args:
        candidate: what is recorded of it.
        model: open; it is kept so from `begin` to `close`.
        config: limits of its queue, which is apart from that of the current release.
        deploy: when it is worse.
        meter: counts its requests.
        vectors: whether its answers come with vectors.
        known: answers that were given already, by any release.
    """

    def __init__(
        self,
        candidate: Candidate,
        model: ServedModel,
        *,
        config: ServeConfig,
        deploy: DeployConfig,
        meter: Meter,
        vectors: bool = False,
        known: KnownAnswers | None = None,
    ) -> None:
        self.candidate, self.model, self._slow = candidate, model, deploy.slow
        self._slot = Slot()
        limits = config.model_copy(update={"max_queue": MOST_SHADOWED}) if self.is_shadow else config
        self.batcher = Batcher(self._slot, limits, vectors=vectors and not self.is_shadow, meter=meter, known=known)
        self._lock = threading.Lock()
        self._comparison = Comparison(deploy.alpha, deploy.margin)
        self._times: dict[Side, deque[float]] = {"current": deque(maxlen=LAST), "candidate": deque(maxlen=LAST)}
        self._timed, self._limit_s = 0, math.inf
        self._shadow: Counter[str] = Counter()
        self._pairs: Counter[str] = Counter()

    @property
    def is_shadow(self) -> bool:
        """Whether nobody sees its answers."""
        return self.candidate.stage == "shadow"

    def begin(self) -> None:
        """Take requests from now on."""
        self._slot.exchange(self.model)
        self.batcher.start()

    def takes(self, session: str | None) -> bool:
        """Whether a request is one of its share; all of a session are, or none, also when the share grows."""
        if session is None:
            return random.random() < self.candidate.share
        digest = blake2b(f"{self.candidate.release} {session}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self.candidate.share * 2**64

    def note(self, side: Side, took_s: float, deadline_s: float, answer: Answer | None) -> None:
        """What became of a request.

        Args:
            answer: None if it failed.
        """
        late = took_s > PATIENCE * deadline_s
        with self._lock:
            self._comparison.note(side, "failed", answer is None or late)
            if answer is None:
                return
            if not answer.known:  # else the release that has answered longer would seem to be the faster one
                self._note_time(side, took_s)
            self._comparison.note(side, "abstained", any(each.abstained for each in answer.predictions))

    def note_feedback(self, side: Side, wrong: bool) -> None:
        """What somebody said of an answer."""
        with self._lock:
            self._comparison.note(side, "wrong", wrong)

    def note_shadow(self, answer: Answer, other: Answer | None, took_s: float) -> None:
        """How the answer that nobody sees differs from the one that the client has; None if it failed."""
        with self._lock:
            self._shadow["requests"] += 1
            if other is None:
                self._shadow["failed"] += 1
                return
            if not other.known:
                self._times["candidate"].append(took_s)
            known = set(self.model.handle.task.labels)
            for first, second in zip(answer.predictions, other.predictions, strict=True):
                self._shadow["texts"] += 1
                if _same(first, second):
                    self._shadow["same"] += 1
                else:
                    self._note_pair(first.label, second.label, known)

    def note_time(self, side: Side, took_s: float) -> None:
        """How long an answer took that is compared in no other way."""
        with self._lock:
            self._times[side].append(took_s)

    def note_dropped(self) -> None:
        """A request was not given to the shadow, as too many wait."""
        with self._lock:
            self._shadow["dropped"] += 1

    def figures(self) -> dict[str, Any]:
        """All that was counted, as plain JSON."""
        with self._lock:
            times = {side: 1000 * median(each) if each else None for side, each in self._times.items()}
            shadow: dict[str, Any] | None = None
            if self.is_shadow:
                names = ("requests", "texts", "same", "failed", "dropped")
                shadow = {name: self._shadow[name] for name in names} | {"different": dict(self._pairs.most_common())}
            return {
                "stage": self.candidate.stage, "criteria": self._comparison.to_json(), "median_ms": times,
                "shadow": shadow,
            }  # fmt: skip

    def restore(self, figures: Mapping[str, Any]) -> None:
        """Go on from what a server has kept before it ended; feedback is read anew from where it is kept."""
        with self._lock:
            self._comparison.restore({name: each for name, each in figures["criteria"].items() if name != "wrong"})
            shadow = dict(figures["shadow"] or {})
            self._pairs.update(shadow.pop("different", {}))
            self._shadow.update(shadow)

    def close(self) -> None:
        """Compute what waits, then let go of the model."""
        self.batcher.close()
        self._slot.exchange(None)

    def _note_time(self, side: Side, took_s: float) -> None:
        times = self._times[side]
        times.append(took_s)
        if side == "current":
            self._timed += 1
            if self._timed % FIRST == 0:
                usual_s = median(times)
                self._limit_s = max(self._slow * usual_s, usual_s + NOTICED_S)
        if self._limit_s < math.inf:
            self._comparison.note(side, "slow", took_s > self._limit_s)

    def _note_pair(self, first: Any, second: Any, known: set[str]) -> None:
        if isinstance(first, str) and isinstance(second, str) and {first, second} <= known:  # classes, no texts
            pair = f"{first} → {second}"
            if pair in self._pairs or len(self._pairs) < MOST_PAIRS:
                self._pairs[pair] += 1


class Sides:
    """Has requests answered: by the current release, or by a candidate that is being tried.

    Args:
        batcher: of the current release.
    """

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher
        self.known = batcher.known
        self._shadows: set[asyncio.Task[None]] = set()
        self.trial: Trial | None = None

    async def answer(self, inputs: Sequence[Addressed], deadline_s: float, session: str | None = None) -> Answer:
        """The answer to one request, all of it by one release.

        Args:
            session: what requests have in common that are to be answered by one release.

        Raises:
            Problem: as `Batcher.answer`. A canary that fails is no reason: the current release answers then.
        """
        trial = self.trial
        if trial is None:
            return await self._batcher.answer(inputs, deadline_s)
        if trial.is_shadow:
            return await self._shadowed(trial, inputs, deadline_s, session)
        if not trial.takes(session):
            return await _noted(trial, "current", self._batcher, inputs, deadline_s, deadline_s)
        began_s = time.monotonic()
        try:
            answer = await _noted(trial, "candidate", trial.batcher, inputs, PATIENCE * deadline_s, deadline_s)
        except Problem:
            self._batcher.meter.tried("canary", "failed")
            left_s = deadline_s - (time.monotonic() - began_s)
            return await self._batcher.answer(inputs, max(left_s, 0.0))
        self._batcher.meter.tried("canary", "answered")
        return answer

    async def _shadowed(
        self, trial: Trial, inputs: Sequence[Addressed], deadline_s: float, session: str | None
    ) -> Answer:
        began_s = time.monotonic()
        answer = await self._batcher.answer(inputs, deadline_s)
        if not answer.known:
            trial.note_time("current", time.monotonic() - began_s)
        if trial.takes(session):
            task = asyncio.create_task(self._shadow(trial, inputs, answer, deadline_s))
            self._shadows.add(task)
            task.add_done_callback(self._shadows.discard)
        return answer

    async def _shadow(self, trial: Trial, inputs: Sequence[Addressed], answer: Answer, deadline_s: float) -> None:
        """Ask the candidate what was answered already; in the background, and not at all if too much waits."""
        if trial.batcher.waiting + len(inputs) > MOST_SHADOWED:
            self._batcher.meter.tried("shadow", "dropped")
            trial.note_dropped()
            return
        began_s = time.monotonic()
        other: Answer | None = None
        try:
            other = await trial.batcher.answer(inputs, deadline_s)
        except Problem:
            self._batcher.meter.tried("shadow", "failed")
        else:
            self._batcher.meter.tried("shadow", "answered")
        trial.note_shadow(answer, other, time.monotonic() - began_s)


async def _noted(
    trial: Trial, side: Side, batcher: Batcher, inputs: Sequence[Addressed], limit_s: float, deadline_s: float
) -> Answer:
    """The answer of one side, counted; a client who goes away is not."""
    began_s = time.monotonic()
    try:
        answer = await batcher.answer(inputs, limit_s)
    except Problem:
        trial.note(side, time.monotonic() - began_s, deadline_s, None)
        raise
    trial.note(side, time.monotonic() - began_s, deadline_s, answer)
    return answer


def _same(first: Prediction, second: Prediction) -> bool:
    """Whether two answers are the same; numbers are that differ by less than a hundredth."""
    if isinstance(first.label, float) and isinstance(second.label, float):
        return math.isclose(first.label, second.label, rel_tol=0.01, abs_tol=1e-6)
    return first.label == second.label
