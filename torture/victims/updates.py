"""An update decides, releases and writes its decision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from torture.harness import Broken, Report, Victim, undisturbed
from torture.invariants import leftovers, sound_releases
from torture.world import NAME, Answers, World
from tuneloop.core.config import RunConfig
from tuneloop.core.paths import Workspace
from tuneloop.evaluation.paired import Difference
from tuneloop.loop import update as loop
from tuneloop.loop.gate import Evidence
from tuneloop.loop.rows import NewRows
from tuneloop.releases import index
from tuneloop.releases.read import open_release
from tuneloop.training.run import Run


@dataclass(frozen=True)
class LightRun(Run):
    """A finished run whose configuration is known and whose model opens in no time."""

    known: RunConfig

    @property
    def config(self) -> RunConfig:
        return self.known

    def handle(self, engine: str = "torch-fp32") -> Any:
        return Answers(engine)


class LightJudge:
    """Evidence that is clear: the candidate is better."""

    left_out: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, current: Any, *given: Any, **more: Any) -> None:
        self.current = current

    def evidence(self, candidate: Any, split: str) -> list[Evidence]:
        return [Evidence("new", "new", 100, Difference("macro_f1", 0.9, 0.8, 0.1, 0.05, 0.15, 0.001, "better"))]

    def rows(self, split: str) -> list[Any]:
        return []


class Updating(Victim):
    """An update of a candidate that was trained before; the same call is made again until it is done."""

    name = "update"
    states = ("before", "release being written", "released, no decision", "decided")

    def __init__(self, folder: Path, world: World) -> None:
        super().__init__(folder)
        self.world, self.workspace = world, Workspace(folder / "w")
        self.known: set[str] = set()

    @property
    def candidate(self) -> Path:
        """The run of this round."""
        return self.workspace.runs / f"{NAME}-round-{self.round}"

    def prepare(self) -> None:
        self.workspace.runs.mkdir(parents=True, exist_ok=True)
        self.workspace.updates.mkdir(exist_ok=True)
        self.candidate.symlink_to(self.world.run.resolve(), target_is_directory=True)
        if self.round == 1:
            undisturbed(self._first_release, self.folder / "told-first")

    def _first_release(self, report: Report) -> None:
        self.world.release(self.world.run, self.workspace)

    def work(self, report: Report, number: int) -> None:
        run = LightRun(self.candidate, {"model": {"trained_parameters": 1}}, self.world.config)
        current = open_release(f"{NAME}-1", self.workspace)
        start = loop.Update(
            current, self.world.config, NewRows(self.folder / "rows.jsonl", self.world.config.data.columns, {}),
            self.world.snapshot, frozenset(), self.workspace, self.folder,
        )  # fmt: skip
        with light(run):
            found = loop.run_update(
                start, lambda made, audited: self.world.release(made.path, self.workspace), quiet=True
            )
        report(f"{found['verdict']} {found['release']}")

    def check(self, told: Sequence[str]) -> str:
        state = self._look(told)
        if state != "decided":  # the same call goes on
            told = undisturbed(lambda report: self.work(report, 0), self.folder / "told-again")
            if self._look(told) != "decided":
                raise Broken("the same call did not end the update")
        if (left := leftovers(self.workspace.root)) and state != "decided":
            raise Broken(f"left behind by the next writer: {left}")
        return state

    def _look(self, told: Sequence[str]) -> str:
        ids, orphans = sound_releases(self.workspace, known=self.known)
        self.known |= {*ids, *orphans}
        mine = [row.id for row in index.rows(self.workspace) if row.run == self.candidate.name]
        if len(mine) > 1:
            raise Broken(f"one candidate was released as {mine}")
        decisions = [
            found for path in self.workspace.updates.glob(f"{NAME}-*/decision.json")
            if (found := json.loads(path.read_text(encoding="utf-8")))["candidate"] == self.candidate.name
        ]  # fmt: skip
        if any(each["release"] not in mine for each in decisions) or (told and not decisions):
            raise Broken("a decision names a release that is not there, or was told and is gone")
        if decisions:
            return "decided"
        if mine:
            return "released, no decision"
        return "release being written" if leftovers(self.workspace.releases) else "before"


@contextmanager
def light(run: Run) -> Any:
    """Inside the block, updates have one step, whose run is there, and evidence that takes no time."""
    from tuneloop.releases.read import Release

    with (
        patch.object(loop, "Judge", LightJudge),
        patch.object(loop, "train", lambda *_, **__: (run, True)),
        patch.object(loop, "refuse_recalibration", lambda *_: None),
        patch.object(Release, "predictor", lambda self, engine=None: Answers("torch-fp32")),
    ):
        yield
