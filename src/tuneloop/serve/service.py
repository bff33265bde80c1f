"""The state of one server: loading, ready, draining; which release answers; changing it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from tuneloop.core.deploying import DeployConfig
from tuneloop.core.deployment import ServeConfig
from tuneloop.core.errors import ReleaseError, ServeError, StorageError, TuneloopError
from tuneloop.core.fusion import TEXT_ALONE
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace, check_id
from tuneloop.core.watching import WatchConfig
from tuneloop.data.examples import Input
from tuneloop.media.store import keep, remember
from tuneloop.models.roofline import known
from tuneloop.releases import index
from tuneloop.serve.asking import Asker
from tuneloop.serve.batching import Answer, Batcher
from tuneloop.serve.explaining import Explaining
from tuneloop.serve.following import Following
from tuneloop.serve.known import KnownAnswers
from tuneloop.serve.listing import listed
from tuneloop.serve.problems import Problem
from tuneloop.serve.refusals import read_refusals, refusal
from tuneloop.serve.scheduler import Lane, Scheduler
from tuneloop.serve.schemas import (
    ModelsResponse,
    parse_request,
    read_request,
)
from tuneloop.serve.slot import ServedModel, Slot
from tuneloop.serve.trail import Noted, Recorder
from tuneloop.serve.trial import Sides
from tuneloop.serve.watching import Watcher
from tuneloop.serve.writers import collect, own_drafts, predictions_of, prompt_of

OpenModel = Callable[[str], ServedModel]


class State(StrEnum):
    """What the server is doing."""

    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"


class Service:
    """What the routes call.

    Args:
        open_model: opens and warms up a release; runs in a thread.
        workspace: where releases are listed.
        config: limits.
        watch: what is kept of answers; nothing by default.
        follow: the name of a model, whose deployments the server follows, whatever release it is to load.
        deploy: when a canary is worse.

    Raises:
        ConfigError: if the rules by which requests are refused cannot be read.
    """

    def __init__(
        self,
        open_model: OpenModel,
        *,
        workspace: Workspace,
        config: ServeConfig,
        watch: WatchConfig | None = None,
        follow: str = "",
        deploy: DeployConfig | None = None,
    ) -> None:
        self.config = config
        self._refusals = read_refusals(Path(config.refuse)) if config.refuse else None
        self.state = State.LOADING
        self.failure: TuneloopError | None = None
        self.slot = Slot()
        watch = watch or WatchConfig()  # type: ignore[call-arg]
        known = KnownAnswers(int(config.answer_cache_mb * 1e6))
        self.batcher = Batcher(self.slot, config, vectors=watch.events == "vectors", known=known)
        self.batcher.meter.watch_known(lambda: known.bytes)
        self.scheduler = Scheduler(self.slot, config, self.batcher.meter)
        self.asker = Asker(self.slot, self._written, max_chars=config.max_text_chars)
        self.recorder = Recorder(config, workspace, names=watch.used)
        self.watcher = Watcher(watch, workspace, self.batcher.meter)
        self.explaining = Explaining(self.slot, self.batcher, config)
        self.sides = Sides(self.batcher)
        # files of requests whose texts are kept are kept as well, so that they can be learnt from
        self._keep = partial(keep, store=workspace.media) if watch.events == "texts" else remember
        self._open_model = open_model
        self._workspace = workspace
        self.following = (
            Following(
                follow, workspace=workspace, slot=self.slot, sides=self.sides, open_model=open_model,
                exchange=self._exchange, announce=self._announce, config=config,
                deploy=deploy or DeployConfig(),  # type: ignore[call-arg]
                watch=watch, meter=self.batcher.meter,
            )
            if follow
            else None
        )  # fmt: skip
        self._activating = asyncio.Lock()

    async def load(self, release: str) -> None:
        """Open the first release; `failure` tells if that went wrong."""
        try:
            await asyncio.to_thread(self.recorder.start)
            await asyncio.to_thread(self.watcher.start)
            first = self.following.first if self.following is not None else partial(self._open_model, release)
            model = await asyncio.to_thread(first)
        except TuneloopError as error:
            self.failure = error
            return
        except Exception as error:  # whatever it is: else the server would be loading for ever
            what = f"{type(error).__name__}: {error}"
            self.failure = ServeError(t("The server cannot start: {error}", error=what))
            return
        self._exchange(model)
        self.batcher.start()
        self.scheduler.start()
        if self.following is not None:
            self.following.begin()
        if self.state is State.LOADING:
            self.state = State.READY

    @property
    def longest_s(self) -> float:
        """Seconds that an accepted request may take."""
        return max(self.config.deadline_s, self.config.writing_deadline_s)

    @property
    def deadline_s(self) -> float:
        """Seconds that a request to /v1/predict may take with the loaded model."""
        writes = self.slot.current is not None and self.slot.current.writes
        return self.config.writing_deadline_s if writes else self.config.deadline_s

    def warnings(self) -> list[str]:
        """What a user of the loaded model's answers should know."""
        model = self.slot.current
        return model.warnings() if model else []

    def drain(self) -> None:
        """From now on say that this server goes away; what comes is still answered."""
        self.state = State.DRAINING

    def close(self) -> None:
        """Compute what waits, then let go of the model."""
        if self.following is not None:
            self.following.close()
        self.explaining.close()
        self.batcher.close()
        self.scheduler.close()
        self.asker.close()
        self.slot.exchange(None)
        self.recorder.close()
        self.watcher.close()

    async def predict(
        self, body: bytes, deadline_s: float, noted: Noted | None = None, session: str | None = None
    ) -> Answer:
        """The answer to a request body.

        Args:
            session: requests with the same one are answered by one release, while another is being tried.
            noted: where it is noted what was asked, and by which seed a model that writes has drawn.

        Raises:
            Problem: if the body does not fit, the queue is full, the deadline passes or no model is loaded.
        """
        model = self.slot.current
        if model is None:
            raise self.not_ready()
        request = read_request(body)
        own = self._named(model, request.release)
        parse = partial(
            parse_request, request, config=self.config, takes_pairs=own.takes_pairs, writes=own.writes,
            reads=own.modalities, keep=self._keep,
        )  # fmt: skip
        asked = await _read(parse, own)
        prompts = await asyncio.to_thread(self._prompts, asked.items, model) if model.writes else asked.items
        if noted is not None:
            noted.inputs, noted.tags = prompts, asked.tags
        await self.allow(prompts, own)
        if not model.writes:
            return await self.sides.answer(model.directed(prompts, own.release), deadline_s, session)
        beam = model.handle.task.options.decoding == "beam"  # type: ignore[attr-defined]
        if beam or not model.shares_steps:
            return await self.batcher.answer(prompts, deadline_s)
        return await self._write(prompts, deadline_s, noted)

    async def ask(self, body: bytes, deadline_s: float) -> tuple[str, Any]:
        """The release, and what its documents say to the question in a request body.

        Raises:
            Problem: as `Asker.question` and `Asker.answer`, and 503 if no model is loaded.
        """
        if self.slot.current is None:
            raise self.not_ready()
        question = self.asker.question(body)
        await self.allow([question])
        return await self.asker.answer(question, deadline_s)

    async def allow(self, inputs: Sequence[Input], model: ServedModel | None = None) -> None:
        """Let texts, pairs and prompts pass, as they were sent and as a model reads them.

        Args:
            model: the one that is asked; the loaded one by default.

        Raises:
            Problem: 403 if a rule of the server refuses one of them.
        """
        if self._refusals is None:
            return
        model = model or self.slot.current
        rule = await self._refusals.first(inputs, model.handle if model else None)
        if rule is not None:
            self.batcher.meter.refused(f"rule {rule.name}")
            raise refusal(rule)

    async def explain(
        self, body: bytes, deadline_s: float, recount: Callable[[int], None] | None = None
    ) -> tuple[str, Any]:
        """The release, and why it answers the text in a request body as it does.

        Args:
            recount: told of how many full requests the answers are worth that the explanation may take.

        Raises:
            Problem: as `Explaining.request` and `Explaining.answer`, and 503 if no model is loaded.
        """
        model = self.slot.current
        if model is None:
            raise self.not_ready()
        request = self.explaining.request(body)
        own = self._named(model, request.release)
        if recount is not None:
            recount(math.ceil(request.most_answers / self.config.max_texts))
        item = await _read(partial(request.item, own), own)
        await self.allow([item], own)
        return await self.explaining.answer(request, item, deadline_s)

    async def _written(self, prompt: Input, deadline_s: float) -> str:
        """What the model writes to one prompt, before any rule."""
        with self.lane() as lane:
            drafts, _ = await asyncio.to_thread(own_drafts, [prompt], lane.writer)
            (pieces,) = await collect(self.scheduler, lane, drafts, deadline_s)
            return "".join(piece.text for piece in pieces)

    @contextmanager
    def lane(self) -> Iterator[Lane]:
        """The loaded model, kept open, and what it writes.

        Raises:
            Problem: 503 if none is loaded, 400 if it does not write, or whole answers only.
        """
        model = self.slot.current
        if model is None:
            raise self.not_ready()
        if not model.writes:
            reason = t("{release} judges texts and writes none.", release=model.release)
            raise Problem(400, reason, t("Ask /v1/predict."), param="model")
        if not model.shares_steps:
            reason = t("{release} writes whole answers only.", release=model.release)
            raise Problem(400, reason, t("Ask /v1/predict."), param="model")
        with self.scheduler.lane() as lane:
            yield lane

    def _prompts(self, items: Sequence[Any], model: ServedModel) -> list[Input]:
        """Texts and conversations as the model reads them."""
        return [prompt_of(each, model.handle, self.config, status=422) for each in items]  # type: ignore[arg-type]

    async def _write(self, prompts: Sequence[Input], deadline_s: float, noted: Noted | None) -> Answer:
        """What a model writes to each prompt, by the settings of its task."""
        with self.lane() as lane:
            drafts, cut = await asyncio.to_thread(own_drafts, prompts, lane.writer, noted.seed if noted else None)
            if noted is not None and lane.writer.own_decoding.temperature:
                noted.used_seed = noted.seed
            pieces = await collect(self.scheduler, lane, drafts, deadline_s)
            return Answer(lane.model.release, predictions_of(lane.writer, drafts, pieces, cut))

    async def activate(self, release: str) -> None:
        """Answer with another release from the next batch on; on any failure the old one stays.

        Raises:
            Problem: 404 if there is no such release, 409 if it cannot be opened or answers another task, or the server
                follows what is deployed.
        """
        if self.state is not State.READY:
            raise self.not_ready()
        if self.following is not None:
            name = self.following.name
            raise Problem(
                409, t("This server answers with what is deployed of {name}.", name=name),
                t("Type where its workspace lies: tuneloop deploy {release}", release=f"{name}-N"),
            )  # fmt: skip
        if self.config.adapters:
            raise Problem(
                409, t("This server answers with adapters that are computed together."),
                t("Start it again with other releases: tuneloop serve RELEASE --adapter OTHER"),
            )  # fmt: skip
        if self._activating.locked():
            raise Problem(409, t("Another release is being loaded."), t("Wait until it answers, then ask again."))
        async with self._activating:
            model = await asyncio.to_thread(self._open_other, release)
            self._exchange(model)

    async def models(self) -> ModelsResponse:
        """What answers now, and every release of the workspace."""
        try:
            rows = await asyncio.to_thread(index.rows, self._workspace)
        except StorageError as error:
            raise Problem.of(error, 503) from None
        return listed(self.slot.current, rows, self.following)

    def _named(self, model: ServedModel, release: str | None) -> ServedModel:
        """The one that is asked of what answers together.

        Raises:
            Problem: 404 if that release does not answer here.
        """
        own = model.named(release)
        if own is None:
            raise Problem(
                404, t("{name} does not answer here.", name=str(release)[:100]),
                t("Ask one of these: {known}", known=", ".join(each.release for each in model.every)),
            )  # fmt: skip
        return own

    def not_ready(self) -> Problem:
        """Why nothing can be answered yet, or any more."""
        if self.state is State.DRAINING:
            return Problem(503, t("The server is shutting down."), t("Send the request again."))
        return Problem(
            503, t("The model is still being loaded."), t("Send the request again in a moment."),
            headers={"Retry-After": "1"},
        )  # fmt: skip

    def _open_other(self, release: str) -> ServedModel:
        try:
            index.find(check_id(release), self._workspace)
        except StorageError as error:
            raise Problem.of(error, 503) from None
        except ReleaseError as error:
            raise Problem.of(error, 404) from None
        except TuneloopError as error:
            raise Problem.of(error, 422) from None
        try:
            model = self._open_model(release)
        except TuneloopError as error:
            raise Problem.of(error, 409) from None
        current = self.slot.current
        if current is not None and current.handle.task.name != model.handle.task.name:
            model.close()
            raise Problem(
                409,
                t(
                    "{release} answers the task {other}, and this server answers {task}.",
                    release=release, other=model.handle.task.name, task=current.handle.task.name,
                ),
                t("Start another server for it."),
            )  # fmt: skip
        return model

    def _announce(self, model: ServedModel) -> None:
        """A release answers too, beside the one that is loaded."""
        for each in model.every:
            self.recorder.loaded(each)
            self.watcher.loaded(each)

    def _exchange(self, model: ServedModel) -> None:
        self.slot.exchange(model)
        self.scheduler.wake()
        roofline = known(self._workspace.cache)
        releases = [each.release for each in model.every]
        self.batcher.meter.loaded(releases, model.engine, peak=roofline and roofline.peak(model.engine))
        self._announce(model)


async def _read(parse: Callable[[], Any], model: ServedModel) -> Any:
    """What is parsed of a request; in a thread where files are decoded, as others would wait for it."""
    return parse() if model.modalities == TEXT_ALONE else await asyncio.to_thread(parse)
