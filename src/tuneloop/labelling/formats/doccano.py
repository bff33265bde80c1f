"""JSON lines of doccano: `label` is a list of classes, or of [start, end, class]."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.i18n import t
from tuneloop.data.readers.jsonl import read_jsonl
from tuneloop.data.readers.table import Table
from tuneloop.labelling.kinds import Kind
from tuneloop.labelling.rows import Names, Row, answered, iso, seconds_of

KEYS = ("label", "labels", "cats")
SPANS = ("label", "labels", "entities")


class Doccano:
    """Extra keys, such as the annotator and a second text, are kept by doccano as the data of a text.

    doccano writes an empty list for a text that nobody has labelled as well as for one with nothing in it; the latter
    is meant only where the line names an annotator, as those that are written here do.
    """

    def read(self, path: Path, names: Names, kind: Kind) -> list[Row]:
        _refuse_numbers(kind)
        table = read_jsonl(path)
        table.column(names.text, setting="data.columns.text")
        keys = [names.label, *(SPANS if kind == "spans" else KEYS)]
        key = next((key for key in keys if key in table.columns), names.label)
        table.column(key, setting="data.columns.label")
        return [_row(table, row, key, names, kind) for row in range(len(table))]

    def write(self, rows: Sequence[Row], names: Names, kind: Kind) -> str:
        _refuse_numbers(kind)
        return "".join(json.dumps(_line(row, names, kind), ensure_ascii=False) + "\n" for row in rows)


def _row(table: Table, row: int, key: str, names: Names, kind: Kind) -> Row:
    cells = {name: values[row] for name, values in table.columns.items()}
    label, annotator = cells[key], str(cells.get("annotator") or "")
    if not isinstance(label, list | None):
        raise _wrong(table, row, key, t("a list should stand here"))
    if not label and not (annotator and kind != "class"):
        label = None
    elif kind == "class" and label is not None:
        if len(label) > 1:
            raise _wrong(table, row, key, t("there are {count} labels where one is wanted", count=len(label)))
        label = label[0]
    elif kind == "spans" and label is not None:
        label = [_span(each) for each in label]
    try:
        at = seconds_of(cells.get("at"))
    except ValueError as error:
        raise _wrong(table, row, "at", str(error)) from None
    return Row(
        cells[names.text], cells.get(names.pair), label, annotator, bool(cells.get("skipped")), at,
        place=table.place(row), where=key,
    )  # fmt: skip


def _span(raw: Any) -> Any:
    """As `tasks.spans.parse_spans` has it; what is none of it is left for that to refuse."""
    if isinstance(raw, dict) and "start_offset" in raw:
        return {"start": raw["start_offset"], "end": raw.get("end_offset"), "label": raw.get("label")}
    return raw


def _line(row: Row, names: Names, kind: Kind) -> dict[str, Any]:
    label = row.label if row.label is not None else []
    if kind == "class":
        label = [label] if answered(row) and not row.skipped else []
    elif kind == "spans":
        label = [[span["start"], span["end"], span["label"]] for span in label]
    found = {
        names.text: row.text,
        names.pair: row.pair,
        "label": label,
        "annotator": row.annotator or None,
        "skipped": row.skipped or None,
        "at": iso(row.at),
        "guess": row.guess,
        **row.also,
    }
    return {key: value for key, value in found.items() if value is not None}


def _refuse_numbers(kind: Kind) -> None:
    if kind == "number":
        raise ConfigError(t("doccano has no numbers as labels."), t("Take --format jsonl, csv or label-studio."))


def _wrong(table: Table, row: int, field: str, reason: str) -> DataError:
    return DataError(
        t("{place}: {reason}.", place=table.place(row, field), reason=reason),
        t("Correct it there, or export it from the tool again; nothing was imported."),
    )


DOCCANO = Doccano()
