"""What the parts of the page of data share: one snapshot with its rows, what was found, and the corrections so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from tuneloop import api
from tuneloop.core.i18n import t
from tuneloop.core.project import Project
from tuneloop.data.browse import SnapshotTable, table_of
from tuneloop.data.check import CheckReport
from tuneloop.data.check_kept import kept_check
from tuneloop.data.conversation import spoken
from tuneloop.data.correcting import SnapshotRow, State
from tuneloop.data.examples import Label, Span
from tuneloop.data.lineage import Changes, changes, snapshots_of
from tuneloop.data.snapshot import Snapshot, open_snapshot
from tuneloop.labelling.kinds import KINDS
from tuneloop.media.items import described
from tuneloop.studio.view import View
from tuneloop.tasks import task_class


@dataclass
class Looked:
    """What one tab looks at.

    Args:
        view: the page.
        project: its configuration.
        snapshot: the newest one.
        table: its rows.
        report: what `tuneloop check` found of it; None if it was not checked.
        changed: what it says otherwise than the one before; None for the first.
        state: the corrections, as they were read last.
        current: whether a check would give this very snapshot.
        redraw: what shows the corrections.
    """

    view: View
    project: Project
    snapshot: Snapshot
    table: SnapshotTable
    report: CheckReport | None
    changed: Changes | None
    state: State
    current: bool
    redraw: list[Callable[[], Any]] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """class, classes, number or spans; empty where people do not label."""
        return KINDS.get(self.snapshot.task, "")

    @property
    def correctable(self) -> bool:
        """Whether labels can be corrected by choosing."""
        return self.kind in ("class", "classes", "number")

    def text(self, text: str) -> str:
        """A text as people read it."""
        return spoken(text) if task_class(self.project.config.task).free_answers else described(text)

    async def again(self) -> None:
        """Read the corrections again and show them."""
        found = await self.view.thread(api.corrections, self.project)
        self.state, self.current = found.state, found.current
        for each in self.redraw:
            each()

    async def correct(self, row: SnapshotRow, label: Any = None) -> None:
        """Give a row a label, or leave it out."""
        left_out = label is None
        await self.view.thread(api.correct, row.split, row.id, label, leave_out=left_out, config=self.project)
        await self.again()


def look(view: View, project: Project) -> Looked | None:
    """What there is to see; None while there is no snapshot.

    Raises:
        DataError: if a snapshot is damaged, or a line of the corrections is wrong.
    """
    found = api.corrections(project)
    if found.snapshot is None:
        return None
    snapshot = found.snapshot
    older = [path for path in snapshots_of(project.config, project.workspace) if path != snapshot.path]
    return Looked(
        view, project, snapshot, table_of(snapshot.path), kept_check(snapshot.hash, project.workspace),
        _changes(older[0], snapshot.path) if older else None, found.state, found.current,
    )  # fmt: skip


@lru_cache(maxsize=4)
def _changes(before: Path, now: Path) -> Changes:
    """Snapshots never change, and comparing two takes a while."""
    return changes(open_snapshot(before), open_snapshot(now))


def label_text(label: Label | None) -> str:
    """A label in a line; None is a row that is left out."""
    if label is None:
        return t("left out")
    if isinstance(label, tuple):
        names = [f"{each.label} {each.start}-{each.end}" if isinstance(each, Span) else each for each in label]
        return ", ".join(names) or t("no class")
    return f"{label:g}" if isinstance(label, float) else label


def plain_text(label: Any) -> str:
    """The same of a label as JSON has it."""
    from tuneloop.data.stored import as_label

    return label_text(as_label(label))
