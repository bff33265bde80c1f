"""The JSON of Label Studio: tasks with `data`, `annotations` and `predictions`.

Its documentation ("Label Studio task format") says what a task is. Offsets of stretches are counted by its page in
UTF-16 units by some versions, so a stretch whose text does not stand where it says is looked for that way too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuneloop.core.i18n import t
from tuneloop.labelling.formats.json_list import Record, read_records
from tuneloop.labelling.kinds import Kind
from tuneloop.labelling.rows import Names, Row, answered, grouped, iso, seconds_of

TYPES: dict[Kind, str] = {"class": "choices", "classes": "choices", "number": "number", "spans": "labels"}


class LabelStudio:
    """A labelling interface whose control has the name of the label column, and whose text is `$text`."""

    def read(self, path: Path, names: Names, kind: Kind) -> list[Row]:
        return [row for record in read_records(path) for row in _rows(record, names, kind)]

    def write(self, rows: Sequence[Row], names: Names, kind: Kind) -> str:
        return json.dumps([_task(group, names, kind) for group in grouped(rows)], ensure_ascii=False, indent=1) + "\n"


def _rows(record: Record, names: Names, kind: Kind) -> list[Row]:
    data = record.get("data", dict)
    if names.text not in data:
        known = ", ".join(map(str, data))
        raise record.wrong(f"data.{names.text}", t("there is no such field (there are: {known})", known=known or "-"))
    key = "completions" if "completions" in record.value else "annotations"
    people = record.get("meta", dict).get("annotators")
    rows = []
    for number, raw in enumerate(record.get(key, list)):
        at = f"{key}[{number}]"
        if not isinstance(raw, dict):
            raise record.wrong(at, t("an object should stand here"))
        skipped = bool(raw.get("was_cancelled"))
        label = None if skipped else _label(record, raw, at, data[names.text], names, kind)
        try:
            when = seconds_of(raw.get("created_at"))
        except ValueError as error:
            raise record.wrong(f"{at}.created_at", str(error)) from None
        lead = raw.get("lead_time")
        rows.append(
            Row(
                data[names.text], data.get(names.pair), label, _who(raw, people, number), skipped, when,
                float(lead) if isinstance(lead, int | float) else None, record.place, f"{at}.result",
            )
        )  # fmt: skip
    return rows or [Row(data[names.text], data.get(names.pair), place=record.place, where=key)]


def _who(annotation: dict[str, Any], people: Any, number: int) -> str:
    if isinstance(people, list) and number < len(people):
        return str(people[number])
    who = annotation.get("completed_by")
    if isinstance(who, dict):
        who = who.get("email") or who.get("id")
    return "" if who is None else str(who)


def _label(record: Record, annotation: dict[str, Any], at: str, text: Any, names: Names, kind: Kind) -> Any:
    results = record.get("result", list, within=annotation, at=at)
    for number, each in enumerate(results):
        if not isinstance(each, dict) or not isinstance(each.get("value"), dict):
            raise record.wrong(f"{at}.result[{number}].value", t("an object should stand here"))
    numbered = [(f"{at}.result[{number}].value", each) for number, each in enumerate(results)]
    ours = [pair for pair in numbered if pair[1].get("from_name") == names.label] or numbered
    if kind == "spans":
        return [_span(record, each["value"], where, text) for where, each in ours]
    if kind == "number":
        values = [each["value"].get("number", each["value"].get("rating")) for _, each in ours]
        return _single(record, [value for value in values if value is not None], at)
    chosen = [name for where, each in ours for name in _choices(record, each["value"], where)]
    return chosen if kind == "classes" else _single(record, chosen, at)


def _choices(record: Record, value: dict[str, Any], where: str) -> list[Any]:
    if "choices" not in value:
        raise record.wrong(f"{where}.choices", t("there is no such field (there are: {known})", known=", ".join(value)))
    return record.get("choices", list, within=value, at=where)  # type: ignore[no-any-return]


def _single(record: Record, values: list[Any], at: str) -> Any:
    if len(values) > 1:
        raise record.wrong(f"{at}.result", t("there are {count} labels where one is wanted", count=len(values)))
    return values[0] if values else None


def _span(record: Record, value: dict[str, Any], where: str, text: Any) -> dict[str, Any]:
    labels = record.get("labels", list, within=value, at=where)
    if len(labels) != 1:
        raise record.wrong(f"{where}.labels", t("there are {count} labels where one is wanted", count=len(labels)))
    start, end, said = value.get("start"), value.get("end"), value.get("text")
    if isinstance(said, str) and isinstance(text, str) and isinstance(start, int) and isinstance(end, int):
        found = _place(text, start, end, said)
        if found is None:
            raise record.wrong(
                f"{where}.text", t("{value!r} does not stand at that place of the text", value=said[:60])
            )
        start, end = found
    return {"start": start, "end": end, "label": labels[0]}


def _place(text: str, start: int, end: int, said: str) -> tuple[int, int] | None:
    if text[start:end] == said:
        return start, end
    wide = text.encode("utf-16-le")
    before, inside = wide[: 2 * start].decode("utf-16-le", "ignore"), wide[2 * start : 2 * end]
    if inside.decode("utf-16-le", "ignore") == said:
        return len(before), len(before) + len(said)
    return None


def _task(rows: list[Row], names: Names, kind: Kind) -> dict[str, Any]:
    first, done = rows[0], [row for row in rows if answered(row)]
    data = {names.text: first.text} | ({} if first.pair is None else {names.pair: first.pair}) | dict(first.also)
    task: dict[str, Any] = {"data": data, "annotations": [_annotation(row, names, kind) for row in done]}
    if any(row.annotator for row in done):
        task["meta"] = {"annotators": [row.annotator for row in done]}
    if first.guess is not None:
        task["predictions"] = [{"model_version": "tuneloop", "result": _result(first.text, first.guess, names, kind)}]
    return task


def _annotation(row: Row, names: Names, kind: Kind) -> dict[str, Any]:
    found = {
        "was_cancelled": row.skipped,
        "result": [] if row.skipped else _result(row.text, row.label, names, kind),
        "created_at": iso(row.at),
        "lead_time": row.seconds,
    }
    return {key: value for key, value in found.items() if value is not None}


def _result(text: str, label: Any, names: Names, kind: Kind) -> list[dict[str, Any]]:
    if kind == "spans":
        values = [
            {"start": each["start"], "end": each["end"], "text": text[each["start"] : each["end"]],
             "labels": [each["label"]]}
            for each in label
        ]  # fmt: skip
    elif kind == "number":
        values = [{"number": label}]
    else:
        chosen = label if kind == "classes" else [label]
        values = [{"choices": chosen}] if chosen else []
    return [{"from_name": names.label, "to_name": names.text, "type": TYPES[kind], "value": each} for each in values]


LABEL_STUDIO = LabelStudio()
