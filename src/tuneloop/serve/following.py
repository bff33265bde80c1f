"""Keeps a server at what is recorded of its model: looks often, opens in the background, exchanges without a gap."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from tuneloop.core.deploying import DeployConfig
from tuneloop.core.deployment import ServeConfig
from tuneloop.core.errors import ReleaseError, StorageError, TuneloopError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.watching import WatchConfig
from tuneloop.core.worker import Worker
from tuneloop.releases.deployment import Candidate, Deployment, Follower, deployed, history, keep_figures, kept_figures
from tuneloop.releases.index import of_model, rows
from tuneloop.releases.promotion import abort, note_failure
from tuneloop.serve.feedback_counts import FeedbackCounts
from tuneloop.serve.metrics import Meter
from tuneloop.serve.slot import ServedModel, Slot
from tuneloop.serve.trial import Sides, Trial
from tuneloop.serve.verdicts import alert_of, sentence
from tuneloop.watch.canary import together

LOOK_S = 0.1
"""How often it is asked whether the record has changed; one look takes microseconds."""

JUDGE_S = 2.0
"""How often figures are written down, and a canary is judged by those of all servers; so much of them is lost at most
when the server dies."""

EXCHANGE_S = 60.0
"""How long the event loop may take to exchange models."""

logger = logging.getLogger("tuneloop.serve")


class Following(Worker):
    """Follows the record of one model.

    Args:
        name: of the model.
        workspace: where the record lies.
        slot: holds the release that answers.
        sides: what a candidate is handed to.
        open_model: opens and warms up a release.
        exchange: lets an open release answer; called in the event loop.
        announce: told, in the event loop, of a candidate that is going to answer.
        config: limits of a candidate's queue.
        deploy: when a canary is worse.
        watch: whether feedback is kept, and who hears of a canary that was taken out.
        meter: names the candidate.
    """

    def __init__(
        self,
        name: str,
        *,
        workspace: Workspace,
        slot: Slot,
        sides: Sides,
        open_model: Callable[[str], ServedModel],
        exchange: Callable[[ServedModel], None],
        announce: Callable[[ServedModel], None],
        config: ServeConfig,
        deploy: DeployConfig,
        watch: WatchConfig,
        meter: Meter,
    ) -> None:
        super().__init__("tuneloop-following")
        self.name = name
        self.server = f"{socket.gethostname()}:{config.port or os.getpid()}"
        self.state = Deployment(name)
        self._workspace, self._slot, self._sides, self._meter = workspace, slot, sides, meter
        self._open_model, self._exchange, self._announce = open_model, exchange, announce
        self._config, self._deploy, self._watch = config, deploy, watch
        self._loop: asyncio.AbstractEventLoop | None = None
        self._record = Follower(workspace)
        self._held: dict[str, ServedModel] = {}
        self._opening: dict[str, Future[ServedModel]] = {}
        self._failed: dict[str, str] = {}
        self._opener = ThreadPoolExecutor(1, "tuneloop-opening")
        self._errands = ThreadPoolExecutor(2, "tuneloop-errands")
        self._feedback = FeedbackCounts(watch, workspace)
        self._judged_s = 0.0
        self._unable = ""

    def first(self) -> ServedModel:
        """The release that is recorded as current, open; where it cannot be opened, the newest before it that can.

        Raises:
            TuneloopError: if none can be opened.
        """
        self.state = deployed(self.name, self._workspace)
        error: TuneloopError = ReleaseError(t("There is no release {name}.", name=self.name))
        for number, release in enumerate(self._order()):
            try:
                return self._hold(release, self._open(release))
            except TuneloopError as refused:
                error = refused if number == 0 else error
                self._note_failure(release, refused.problem)
        raise error

    def begin(self) -> None:
        """Follow from now on; called in the event loop."""
        self._loop = asyncio.get_running_loop()
        super().start()

    def problem(self) -> str | None:
        """What a client should know where another release answers than the one that is recorded."""
        current, answering = self.state.current, self._slot.current
        if current is None or answering is None or current not in self._failed or answering.release == current:
            return None
        return t("{release} should answer and cannot be opened; {answering} answers.",
                 release=current, answering=answering.release)  # fmt: skip

    def _order(self) -> list[str]:
        """Releases to try at the start: the current one, those before it, then any other, the newest first."""
        tried = self.state.candidate.release if self.state.candidate else ""
        others = reversed(of_model(self.name, rows(self._workspace)))
        order = dict.fromkeys([*reversed(self.state.releases), *others])
        order.pop(tried, None)
        return list(order)

    def _work(self) -> None:
        while not self._ended():
            try:
                self._look()
                self._unable = ""
            except Exception as error:  # the record or a disk may be out of order for a while: what answers goes on
                said = error.problem if isinstance(error, TuneloopError) else type(error).__name__
                if said != self._unable:
                    logger.error("%s", t("What is deployed cannot be followed now: {error}", error=said))
                self._unable = said
        self._end()

    def _ended(self) -> bool:
        with self._changed:
            return self._closing or self._changed.wait_for(lambda: self._closing, LOOK_S)

    def _look(self) -> None:
        if self._record.changed():
            self._read_state()
        self._take_opened()
        self._open_wanted()
        self._let_current_answer()
        self._try_candidate()
        self._let_go()
        now_s = time.monotonic()
        if self._sides.trial is not None and now_s - self._judged_s >= JUDGE_S:
            self._judged_s = now_s
            self._judge(self._sides.trial)

    def _read_state(self) -> None:
        """What holds now; what could not be opened is tried again after a change. Nothing recorded is no change.

        Nor is that a server could not open a release: two that cannot would have each other try for ever.
        """
        found, known = deployed(self.name, self._workspace), self.state.change
        if found.change in (0, known):
            return
        made = [each for each in history(self.name, self._workspace) if each.number > known]
        self.state = found
        if not made or any(each.kind != "failed" for each in made):
            self._failed.clear()

    def _wanted(self) -> list[str]:
        """Releases that are to be open, the most urgent first."""
        tried = self.state.candidate.release if self.state.candidate else None
        # where nothing was ever deployed, nobody expects the memory of two
        before = self.state.before if self._deploy.keep_before and self.state.change else None
        return list(dict.fromkeys(each for each in (self.state.current, tried, before) if each is not None))

    def _take_opened(self) -> None:
        for release in [name for name, opening in self._opening.items() if opening.done()]:
            try:
                self._hold(release, self._opening.pop(release).result())
            except TuneloopError as error:
                self._note_failure(release, error.problem)

    def _open_wanted(self) -> None:
        for release in self._wanted():
            if release not in self._held and release not in self._opening and release not in self._failed:
                self._opening[release] = self._opener.submit(self._open, release)

    def _open(self, release: str) -> ServedModel:
        """The release, open.

        Raises:
            TuneloopError: whatever is wrong with it.
        """
        try:
            model = self._open_model(release)
        except TuneloopError:
            raise
        except Exception as error:  # of a library that does not know what it was given
            raise ReleaseError(f"{type(error).__name__}: {error}") from error
        answering = self._slot.current
        if answering is not None and answering.handle.task.name != model.handle.task.name:
            model.close()
            raise ReleaseError(
                t("{release} answers the task {other}, and {current} answers {task}.",
                  release=release, other=model.handle.task.name, current=answering.release,
                  task=answering.handle.task.name)
            )  # fmt: skip
        return model

    def _hold(self, release: str, model: ServedModel) -> ServedModel:
        model.take()
        self._held[release] = model
        return model

    def _let_current_answer(self) -> None:
        model, answering = self._held.get(self.state.current or ""), self._slot.current
        if model is not None and model is not answering:
            self._in_loop(self._exchange, model)

    def _try_candidate(self) -> None:
        """Begin and end the trial that is recorded; one that follows another takes its place without a gap."""
        candidate, old = self.state.candidate, self._sides.trial
        if candidate is not None and old is not None and candidate.change == old.candidate.change:
            return
        model = None if candidate is None else self._held.get(candidate.release)
        if candidate is not None and model is not None:
            self._begin_trial(candidate, model)
        elif old is not None:
            self._sides.trial = None
            self._meter.trying(None)
        if old is not None:
            self._errands.submit(old.close)  # a model that is stuck must hold up nothing else
            self._keep(old)

    def _begin_trial(self, candidate: Candidate, model: ServedModel) -> None:
        kept = kept_figures(candidate.change, self._workspace).get(self.server)
        trial = Trial(
            candidate, model, config=self._config, deploy=self._deploy, meter=self._meter,
            vectors=self._watch.events == "vectors", known=self._sides.known,
        )  # fmt: skip
        if kept is not None:
            trial.restore(kept)
        self._in_loop(self._announce, model)
        trial.begin()
        self._feedback.begin()
        self._meter.trying(candidate.release, candidate.stage)
        self._sides.trial = trial

    def _let_go(self) -> None:
        """Close what is no longer wanted."""
        wanted, answering = self._wanted(), self._slot.current
        for release in [name for name, model in self._held.items() if name not in wanted and model is not answering]:
            self._held.pop(release).drop()

    def _judge(self, trial: Trial) -> None:
        if self._watch.used and not trial.is_shadow:
            for side, wrong in self._feedback.new(trial.candidate, self.state.current or ""):
                trial.note_feedback(side, wrong)
        self._keep(trial)
        if trial.is_shadow:
            return
        kept = kept_figures(trial.candidate.change, self._workspace)
        criteria = {server: figures["criteria"] for server, figures in kept.items()}
        whole = together(criteria, self.server, alpha=self._deploy.alpha, margin=self._deploy.margin)
        criterion = whole.worse()
        if criterion is not None:
            self._take_out(trial, criterion, whole.to_json()[criterion], kept)

    def _keep(self, trial: Trial) -> None:
        keep_figures(trial.candidate.change, self.server, trial.figures(), self._workspace)

    def _take_out(
        self, trial: Trial, criterion: str, counted: Mapping[str, Any], kept: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Record that a canary is worse; what follows is done as after any other change."""
        why = sentence(criterion, counted, trial.candidate.release, self.state.current or "")
        details = {"criterion": criterion, "stage": "canary", "share": trial.candidate.share, "figures": dict(kept)}
        who = f"tuneloop serve {self.server}"
        made = abort(trial.candidate, self._workspace, who=who, why=why, details=details)
        self._read_state()
        if made is not None:
            _say(t("{release} was taken out: {why}", release=trial.candidate.release, why=why))
            alert = alert_of(made)
            self._errands.submit(_tell, alert, self._watch, self._workspace)

    def _note_failure(self, release: str, why: str) -> None:
        self._failed[release] = why
        _say(t("{release} cannot be opened: {why}", release=release, why=why))
        who, last = f"tuneloop serve {self.server}", self.state.change
        try:
            made = note_failure(self.name, release, self._workspace, who=who, why=why, last=last)
        except StorageError as error:  # another release may answer all the same
            return _say(error.problem)
        if made is not None:  # no reason to try again
            self.state = made.after

    def _in_loop(self, work: Callable[[ServedModel], None], model: ServedModel) -> None:
        """Return when the event loop has done it."""
        assert self._loop is not None

        async def run() -> None:
            work(model)

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(EXCHANGE_S)

    def _end(self) -> None:
        trial, self._sides.trial = self._sides.trial, None
        if trial is not None:
            trial.close()
            try:
                self._keep(trial)
            except TuneloopError as error:
                logger.error("%s", error.problem)
        self._feedback.close()
        self._opener.shutdown(cancel_futures=True)
        self._errands.shutdown()
        for opening in self._opening.values():
            if opening.done() and not opening.cancelled() and opening.exception() is None:
                opening.result().close()
        for model in self._held.values():
            model.drop()
        self._record.close()


def _tell(alert: Any, watch: WatchConfig, workspace: Workspace) -> None:
    """Tell who is to hear of it; what goes wrong is said on standard error."""
    from tuneloop.watch.alerts.tell import channels_of, tell

    folder = workspace.watched / alert.release
    try:
        errors = tell([alert], channels_of(watch.drift.alerts, folder), folder, cooldown_s=0.0)
    except TuneloopError as error:
        errors = [error]
    for each in errors:
        _say(each.problem)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
