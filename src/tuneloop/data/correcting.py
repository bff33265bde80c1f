"""Writing the file of corrections: a line for a row of a snapshot, and taking one back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tuneloop.core import fsio
from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.core.lock import locked
from tuneloop.core.paths import Workspace
from tuneloop.data.corrections import Correction, read_corrections
from tuneloop.data.encoding import decode
from tuneloop.data.examples import Label
from tuneloop.data.labelled import LabelReader
from tuneloop.data.snapshot_folder import Snapshot


@dataclass(frozen=True)
class SnapshotRow:
    """A row as a snapshot has it."""

    split: str
    id: str
    text: str
    pair: str | None
    label: Label


@dataclass(frozen=True)
class State:
    """The lines of a file beside the snapshot that is looked at.

    Args:
        lines: every line.
        pending: those that the snapshot was made without.
        taken_back: how many it was made with that are gone.
    """

    lines: list[Correction]
    pending: list[Correction]
    taken_back: int

    def label(self, row: SnapshotRow) -> Label | None:
        """What a new snapshot would say of a row of this one; None if it would leave it out."""
        label: Label | None = row.label
        for each in self.pending:
            if each.key == (row.text, row.pair):
                label = each.after(label)
        return label


def state(lines: Sequence[Correction], snapshot: Snapshot | None) -> State:
    """How a file of corrections stands to a snapshot."""
    built = Counter[str](snapshot.report.get("corrections", {}).get("lines", ()) if snapshot else ())
    pending = []
    for each in lines:
        if built[each.id]:
            built[each.id] -= 1
        else:
            pending.append(each)
    return State(list(lines), pending, built.total())


class CorrectionFile:
    """The file of corrections of a project; any number of processes may change it, one after the other.

    Args:
        path: it need not be there yet.
        task: how labels are read.
        workspace: in which those who change it wait for each other.
    """

    def __init__(self, path: Path, task: LabelReader, workspace: Workspace) -> None:
        self.path = path
        self._task = task
        self._folder = workspace.cache / "corrections"

    def lines(self) -> list[Correction]:
        """What it holds.

        Raises:
            DataError: if a line is wrong.
        """
        return read_corrections(self.path, self._task)

    def change(self, row: SnapshotRow, to: Label | None, snapshot: Snapshot) -> Correction | None:
        """Let a row of a snapshot get another label, or leave it out; the new line, or None if there is none now.

        What the file said of the row since the snapshot was made is replaced: a row has one line at most.

        Raises:
            DataError: if a line of the file is wrong.
            StorageError: if the disk refuses; the file is then as it was.
        """
        with self._alone():
            known = state(self.lines(), snapshot)
            gone = _chain(known.pending, row)
            added = None if to == row.label else Correction(row.text, row.pair, row.label, to)
            if gone or added:
                self._rewrite([each.line for each in gone], added)
            return added

    def undo(self, id: str = "") -> Correction:
        """Take a line out of the file.

        Args:
            id: its name; the last line by default.

        Raises:
            DataError: if there is none.
        """
        with self._alone():
            found = [each for each in self.lines() if not id or each.id == id]
            if not found:
                raise DataError(
                    t("{file} has no correction {id}.", file=self.path.name, id=id or "-"),
                    t("See: tuneloop correct list"),
                )
            self._rewrite([found[-1].line], None)
            return found[-1]

    def _rewrite(self, without: Sequence[int], added: Correction | None) -> None:
        """The file without some of its lines and with a new one behind; the others stay as people wrote them."""
        text = decode(self.path.read_bytes(), path=self.path, encoding="auto")[0] if self.path.exists() else ""
        lines = [line for number, line in enumerate(text.split("\n"), 1) if line.strip() and number not in without]
        if added:
            lines.append(json.dumps(added.as_json(), ensure_ascii=False, allow_nan=False))
        fsio.write_text(self.path, "".join(f"{line}\n" for line in lines))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        fsio.make_dir(self._folder)
        with locked(self._folder):
            yield


def _chain(pending: Sequence[Correction], row: SnapshotRow) -> list[Correction]:
    """The lines that change this row, one after the other."""
    label, found = row.label, []
    for each in pending:
        if each.key == (row.text, row.pair) and each.was in (None, label):
            found.append(each)
            if each.label is None:
                break
            label = each.label
    return found
