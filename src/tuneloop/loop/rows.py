"""New rows for an update: those of files, and texts that were answered in service and said to be right or wrong."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.config import Columns, RunConfig
from tuneloop.core.errors import DataError
from tuneloop.core.fsio import write_text
from tuneloop.core.hashing import hash_texts
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.data.duplicates import comparables
from tuneloop.data.examples import Examples
from tuneloop.data.labelled import labelled
from tuneloop.data.readers import read_table
from tuneloop.data.readers.samples import columns_of
from tuneloop.tasks import task_class

if TYPE_CHECKING:
    from tuneloop.watch.base import Event, Feedback

HASH_DIGITS = 12


@dataclass(frozen=True)
class NewRows:
    """Rows that the current release was not made of, in one file.

    Args:
        path: JSON lines, named by their content.
        columns: which column is what.
        files: rows by file.
        feedback: pieces of feedback by what became of them; empty where none was asked for.
    """

    path: Path
    columns: Columns
    files: dict[str, int]
    feedback: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many rows, before they are cleaned."""
        return sum(self.files.values()) + self.feedback.get("used", 0)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"files": self.files, "feedback": self.feedback, "rows": self.count, "path": str(self.path)}


def collect(
    files: Sequence[Path],
    said: Iterable[tuple[Feedback, Event]] | None,
    *,
    config: RunConfig,
    classes: Collection[str],
    known: Collection[str],
    workspace: Workspace,
) -> NewRows:
    """The rows of files and of feedback in one file of the workspace; equal rows give the same file.

    Args:
        files: labelled, with the columns of the release's data.
        said: feedback with the events that it is about; None takes none.
        config: of the release.
        classes: what the release can answer; feedback for another class counts only where a file has rows of it.
        known: texts of the data that the release comes from, as `comparables`; feedback on them is not new.

    Raises:
        DataError: if a file cannot be read or a row of it cannot be used, or there is no row at all.
    """
    task, columns = task_class(config.task), columns_of(config.data.source, config.data.columns)
    found: list[dict[str, Any]] = []
    counts: dict[str, int] = {}
    classes = set(classes)
    for path in files:
        table = read_table(str(path), base=Path.cwd())
        rows = labelled(table, columns, task, max_chars=config.data.max_text_chars)
        classes |= set(task.label_names(rows.labels))
        counts[path.name] = counts.get(path.name, 0) + len(table)
        found += [dict(zip(table.columns, values, strict=True)) for values in zip(*table.columns.values(), strict=True)]
    sums: Counter[str] = Counter()
    if said is not None:
        found += _of_feedback(said, columns, classes=classes, known=known, pairs=task.takes_pairs, sums=sums)
    if not found:
        raise DataError(
            t("There are no new rows."),
            t("Give a file with --data; feedback counts where events keep texts: watch.events: texts."),
        )
    lines = [json.dumps(row, ensure_ascii=False, default=str) for row in found]
    path = workspace.updates / "rows" / f"new-{hash_texts(lines)[:HASH_DIGITS]}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(f"{line}\n" for line in lines))
    return NewRows(path, columns, counts, dict(sums))


def _of_feedback(
    said: Iterable[tuple[Feedback, Event]],
    columns: Columns,
    *,
    classes: Collection[str],
    known: Collection[str],
    pairs: bool,
    sums: Counter[str],
) -> list[dict[str, Any]]:
    """A row for each text of which all feedback says the same."""
    by_text: dict[str, list[tuple[Feedback, Event, str]]] = defaultdict(list)
    names = ("used", "repeated", "contradictory", "without_label", "without_text", "unknown_class", "known")
    sums.update(dict.fromkeys(names, 0))  # |= would leave out what is 0
    for feedback, event in said:
        label = feedback.label if feedback.label is not None else event.label if feedback.good else None
        if event.text is None or (pairs and event.pair is None):
            sums["without_text"] += 1
        elif label is None:
            sums["without_label"] += 1
        elif label not in classes:
            sums["unknown_class"] += 1
        else:
            by_text[_key(event, pairs)].append((feedback, event, label))
    rows = []
    for key, each in by_text.items():
        if key in known:
            sums["known"] += len(each)
        elif len({label for _, _, label in each}) > 1:
            sums["contradictory"] += len(each)
        else:
            sums["used"] += 1
            sums["repeated"] += len(each) - 1
            rows.append(_row(*each[0], columns, pairs=pairs))
    return rows


def _key(event: Event, pairs: bool) -> str:
    texts = Examples([event.id], [event.text or ""], [""], [event.pair or ""] if pairs else None)
    return comparables(texts)[0]


def _row(feedback: Feedback, event: Event, label: str, columns: Columns, *, pairs: bool) -> dict[str, Any]:
    row = {columns.text: event.text, columns.label: label}
    if pairs and columns.pair:
        row[columns.pair] = event.pair
    if columns.id:
        row[columns.id] = event.id
    if columns.group:  # nothing is known of whose it is
        row[columns.group] = event.hash
    if columns.time:
        row[columns.time] = datetime.fromtimestamp(feedback.at, UTC).isoformat(timespec="seconds")
    return row
