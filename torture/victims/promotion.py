"""Releases are promoted, tried out and rolled back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from torture.harness import Broken, Report, Victim, undisturbed
from torture.invariants import rows_of, sound_releases
from torture.world import NAME, World
from tuneloop.core.errors import ReleaseError
from tuneloop.core.paths import Workspace
from tuneloop.releases.deployment import deployed, history
from tuneloop.releases.promotion import check, promote, rollback, try_out

RELEASES = 3
ROW = "SELECT number, who, release, state FROM changes ORDER BY number"


class Promoting(Victim):
    """Changes what answers, every other round with a second process beside it."""

    name = "promotion and rollback"
    states = ("before", "in the middle of a change", "changed")

    def __init__(self, folder: Path, world: World) -> None:
        super().__init__(folder)
        self.world, self.workspace = world, Workspace(folder / "w")
        self.acknowledged: dict[int, str] = {}

    @property
    def processes(self) -> int:  # type: ignore[override]
        """One, or two at once."""
        return 1 + self.round % 2

    def prepare(self) -> None:
        if self.round == 1:
            for _ in range(RELEASES):
                undisturbed(self._release, self.folder / "told-first")

    def _release(self, report: Report) -> None:
        self.world.release(self.world.run, self.workspace)

    def work(self, report: Report, number: int) -> None:
        who = f"r{self.round}p{number}"
        for turn in range(RELEASES):
            release = check(f"{NAME}-{1 + (turn + number) % RELEASES}", self.workspace).id
            report(f"{promote(release, self.workspace, who=who).number} {who} {release}")
            other = f"{NAME}-{1 + (turn + number + 1) % RELEASES}"
            if deployed(NAME, self.workspace).current != other and self.processes == 1:
                made = try_out(other, self.workspace, stage="canary", share=0.1, who=who)
                report(f"{made.number} {who} {other}")
            try:
                made = rollback(NAME, self.workspace, who=who)
                report(f"{made.number} {who} {made.release}")
            except ReleaseError:
                if self.processes == 1:  # else the other one may have gone back to the first
                    raise

    def fleeting(self, told: Path) -> bool:
        """Whether SQLite is in the middle of a change."""
        return self._torn()

    def _torn(self) -> bool:
        return self.workspace.deployments.with_name(self.workspace.deployments.name + "-journal").exists()

    def check(self, told: Sequence[str]) -> str:
        torn = self._torn()
        for line in told:
            number, rest = line.split(" ", 1)
            self.acknowledged[int(number)] = rest
        rows = rows_of(self.workspace.deployments, ROW)
        kept = {int(str(row[0])): f"{row[1]} {row[2]}" for row in rows}
        if list(kept) != list(range(1, len(kept) + 1)):
            raise Broken("numbers of changes were left out or given twice")
        if lost := [number for number, rest in self.acknowledged.items() if kept.get(number) != rest]:
            raise Broken(f"changes that were acknowledged are gone or others: {lost}")
        ids, _ = sound_releases(self.workspace)
        state, read = deployed(NAME, self.workspace), history(NAME, self.workspace)
        if len(read) != len(rows) or state.change != len(rows) or not {*state.releases} <= set(ids):
            raise Broken("the record of deployments does not hold together")
        if rows and json.loads(str(rows[-1][3]))["releases"] != list(state.releases):
            raise Broken("what holds is not what the last change says")
        if torn:
            return "in the middle of a change"
        mine = f"r{self.round}p{self.processes - 1} "
        return "changed" if any(rest.startswith(mine) for rest in kept.values()) else "before"
