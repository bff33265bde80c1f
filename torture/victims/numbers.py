"""Several processes take numbers and insert rows at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from torture.harness import Broken, Report, Victim
from torture.invariants import rows_of
from tuneloop.core.paths import Workspace
from tuneloop.releases import index

TURNS = 4


class IndexSharing(Victim):
    """Takes ids of two models and inserts their rows, three processes at once, of which one is killed."""

    name = "index"
    states = ("before", "id without row", "row")
    processes = 3

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.workspace = Workspace(folder / "w")
        self.given: set[str] = set()
        self.inserted: set[str] = set()

    def work(self, report: Report, number: int) -> None:
        for turn in range(TURNS):
            made = index.next_id(f"m{turn % 2}", self.workspace)
            report(f"{number} id {made}")
            index.insert(index.Row(made, f"run-{number}", "hash", "2026-01-01", "fake"), self.workspace)
            report(f"{number} row {made}")

    def fleeting(self, told: Path) -> bool:
        """Whether an id was given whose row is not told of yet."""
        said = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
        return bool(said) and " id " in said[-1]

    def check(self, told: Sequence[str]) -> str:
        said = [line.split() for line in told]
        given = [name for _, kind, name in said if kind == "id"]
        inserted = {name for _, kind, name in said if kind == "row"}
        again = {name for name, count in Counter(given).items() if count > 1} | (set(given) & self.given)
        if again:
            raise Broken(f"given twice: {sorted(again)}")
        self.given |= set(given)
        self.inserted |= inserted
        found = {str(name) for (name,) in rows_of(self.workspace.index, "SELECT id FROM releases")}
        if not self.inserted <= found <= self.given:
            raise Broken(f"rows that were acknowledged and are gone: {sorted(self.inserted - found)}")
        if {row.id for row in index.rows(self.workspace)} != found:
            raise Broken("tuneloop sees other rows than SQLite")
        mine = [kind for number, kind, _ in said if number == str(self.processes - 1)]
        return {None: "before", "id": "id without row", "row": "row"}[mine[-1] if mine else None]
