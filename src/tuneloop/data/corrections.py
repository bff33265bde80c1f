"""Corrections of a project's data: labels that people changed and rows that they left out, in a file of JSON lines.

The data file stays as it is. A line names a row by what it says, so that it still holds when rows move:

    {"text": "the room was clean", "was": "negative", "label": "positive"}
    {"text": "asdf", "was": "negative", "leave_out": true}

Lines hold in their order, each for rows that bear the label `was` by then; without `was`, whatever the label is.
`text` (and `pair`, where the task takes two) is as the data file or as the snapshot has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneloop.core.config import DataConfig
from tuneloop.core.errors import DataError
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.data.examples import Examples, Label
from tuneloop.data.labelled import LabelReader
from tuneloop.data.readers.jsonl import read_jsonl
from tuneloop.data.readers.table import Table
from tuneloop.data.stored import as_label, plain_label

KEYS = ("text", "pair", "was", "label", "leave_out")
ID_DIGITS = 12

Key = tuple[str, str | None]


@dataclass(frozen=True)
class Correction:
    """One line.

    Args:
        was: the label of the rows that are meant; None for any label.
        label: what they get; None where they are left out.
        line: its number in the file; 0 before it is kept.
    """

    text: str
    pair: str | None
    was: Label | None
    label: Label | None
    line: int = field(default=0, compare=False)

    @property
    def key(self) -> Key:
        """Text and pair of the rows that are meant."""
        return self.text, self.pair

    def as_json(self) -> dict[str, Any]:
        """The line as it is written."""
        found: dict[str, Any] = {"text": self.text}
        if self.pair is not None:
            found["pair"] = self.pair
        if self.was is not None:
            found["was"] = plain_label(self.was)
        return found | ({"leave_out": True} if self.label is None else {"label": plain_label(self.label)})

    @property
    def id(self) -> str:
        """Its name: equal lines, equal names."""
        return hash_json(self.as_json())[:ID_DIGITS]

    def after(self, label: Label | None) -> Label | None:
        """The label of a row of this text behind this line; None if the row is left out."""
        if label is None or (self.was is not None and self.was != label):
            return label
        return self.label


@dataclass
class Applied:
    """What a file of corrections did to the rows of a source, or of several.

    Args:
        lines: what it held.
        changed: rows with another label.
        left_out: rows that are gone.
        used: numbers of the lines that were of use.
    """

    lines: list[Correction] = field(default_factory=list)
    changed: int = 0
    left_out: int = 0
    used: set[int] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        """For the report of a snapshot."""
        return {
            "lines": [each.id for each in self.lines], "changed": self.changed, "left_out": self.left_out,
            "unused": [each.line for each in self.lines if each.line not in self.used],
        }  # fmt: skip


def corrections_path(config: DataConfig, base: Path) -> Path:
    """The file that a configuration names; it need not be there."""
    return base / Path(config.corrections).expanduser()


def read_corrections(path: Path, task: LabelReader) -> list[Correction]:
    """The lines of a file; none if there is no such file.

    Raises:
        DataError: at the first line that is wrong, with file and row.
    """
    try:
        if not path.exists() or not path.read_bytes().strip():
            return []
        table = read_jsonl(path)
    except OSError as error:
        raise DataError(
            t("{path} cannot be read: {error}", path=path, error=error.strerror or error),
            t("Let data.corrections name a file of JSON lines."),
        ) from None
    return [_correction(table, number, task) for number in range(len(table))]


def _correction(table: Table, number: int, task: LabelReader) -> Correction:
    given = {name: values[number] for name, values in table.columns.items() if values[number] is not None}
    try:
        strange = sorted(set(given) - set(KEYS))
        if strange:
            raise ValueError(t('"{name}" is none of {known}', name=strange[0][:60], known=", ".join(KEYS)))
        text, pair = given.get("text"), given.get("pair")
        for each in [text] if pair is None else [text, pair]:
            if not isinstance(each, str) or not each:
                raise ValueError(t("the text is missing"))
        out = given.get("leave_out", False)
        if not isinstance(out, bool) or out == ("label" in given):
            raise ValueError(t('it needs either "label" or "leave_out": true'))
        label = None if out else _label(task, text, pair, given["label"])
        was = _label(task, text, pair, given["was"]) if "was" in given else None
    except ValueError as error:
        raise DataError(
            t("{place}: {reason}.", place=table.place(number), reason=error),
            t("Correct the line or take it out; see: tuneloop correct list"),
        ) from None
    return Correction(str(text), pair, was, label, table.rows[number])


def _label(task: LabelReader, text: Any, pair: Any, raw: Any) -> Label:
    if task.row_by_row:  # the label of a snapshot, as `plain_label` writes it
        return task.parse_row(text, pair, raw)[2] if task.name == "tagging" else as_label(raw)
    return task.parse_label(raw)


def lines_hash(lines: Iterable[Correction]) -> str:
    """A hash of what the lines say."""
    return hash_json([each.as_json() for each in lines])


def apply(applied: Applied, examples: Examples, raw: Examples) -> tuple[Examples, set[int]]:
    """Rows with their corrected labels, and the numbers of those to leave out; `applied` learns of both.

    Args:
        examples: the cleaned rows.
        raw: the same rows as the file has them.
    """
    if not applied.lines:
        return examples, set()
    by_key: dict[Key, list[Correction]] = {}
    for each in applied.lines:
        by_key.setdefault(each.key, []).append(each)
    labels, out = list(examples.labels), set[int]()
    for row, (clean, given) in enumerate(zip(_keys(examples), _keys(raw), strict=True)):
        lines = by_key.get(clean) or by_key.get(given)
        if lines:
            after = _through(lines, labels[row], applied.used)
            if after is None:
                out.add(row)
            elif after != labels[row]:
                labels[row] = after
                applied.changed += 1
    applied.left_out += len(out)
    return Examples(examples.ids, examples.texts, labels, examples.pairs, examples.columns), out


def _through(lines: Sequence[Correction], label: Label, used: set[int]) -> Label | None:
    """What becomes of a label; lines that hold for it are added to `used`."""
    now: Label | None = label
    for each in lines:
        if now is not None and each.was in (None, now):
            used.add(each.line)
        now = each.after(now)
    return now


def _keys(examples: Examples) -> list[Key]:
    pairs: Sequence[str | None] = examples.pairs or [None] * len(examples)
    return list(zip(examples.texts, pairs, strict=True))
