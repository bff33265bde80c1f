"""The JSON of Argilla: records with `fields`, `responses` and `suggestions`, as `dataset.records.to_json` writes them.

Responses are by question ({"label": [{"value": ..., "user_id": ...}]}, version 2), or a list with the values of all
questions of one person each (version 1).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tuneloop.core.i18n import t
from tuneloop.labelling.formats.json_list import Record, read_records
from tuneloop.labelling.kinds import Kind
from tuneloop.labelling.rows import Names, Row, answered, grouped

SPACE = uuid.UUID("0b0a3c0e-6a57-5b0e-9c0e-7f0f6f1f2a11")
"""Names of annotators become user ids within it."""


class Argilla:
    """A question with the name of the label column: label, multi-label, span or rating."""

    def read(self, path: Path, names: Names, kind: Kind) -> list[Row]:
        return [row for record in read_records(path) for row in _rows(record, names)]

    def write(self, rows: Sequence[Row], names: Names, kind: Kind) -> str:
        return json.dumps([_record(group, names) for group in grouped(rows)], ensure_ascii=False, indent=1) + "\n"


def _rows(record: Record, names: Names) -> list[Row]:
    fields = record.get("fields", dict)
    if names.text not in fields:
        known = ", ".join(map(str, fields))
        raise record.wrong(f"fields.{names.text}", t("there is no such field (there are: {known})", known=known or "-"))
    text, pair = fields[names.text], fields.get(names.pair)
    people = record.get("metadata", dict).get("annotators")
    rows = []
    for number, (where, given) in enumerate(_responses(record, names)):
        status = given.get("status") or "submitted"
        if status == "draft" or (given.get("value") is None and status != "discarded"):
            continue
        who = people[number] if isinstance(people, list) and number < len(people) else given.get("user_id")
        skipped = status == "discarded"
        rows.append(
            Row(
                text,
                pair,
                None if skipped else given["value"],
                str(who or ""),
                skipped,
                place=record.place,
                where=where,
            )
        )
    return rows or [Row(text, pair, place=record.place, where="responses")]


def _responses(record: Record, names: Names) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each response stands, and its value, user_id and status."""
    responses = record.value.get("responses") or {}
    if isinstance(responses, dict):
        if not responses:
            return
        if names.label not in responses and len(responses) > 1:
            known = ", ".join(responses)
            raise record.wrong("responses", t("no question is called {name} ({known})", name=names.label, known=known))
        question = names.label if names.label in responses else next(iter(responses))
        for number, each in enumerate(record.get(question, list, within=responses, at="responses")):
            where = f"responses.{question}[{number}]"
            if not isinstance(each, dict):
                raise record.wrong(where, t("an object should stand here"))
            yield where, each
        return
    for number, each in enumerate(record.get("responses", list)):
        where = f"responses[{number}]"
        if not isinstance(each, dict):
            raise record.wrong(where, t("an object should stand here"))
        values = record.get("values", dict, within=each, at=where)
        question = names.label if names.label in values or len(values) != 1 else next(iter(values))
        value = record.get(question, dict, within=values, at=f"{where}.values").get("value")
        yield f"{where}.values.{question}", {**each, "value": value}


def _record(rows: list[Row], names: Names) -> dict[str, Any]:
    first, done = rows[0], [row for row in rows if answered(row)]
    responses = [
        {
            "value": row.label,
            "user_id": user_id(row.annotator) if row.annotator else None,
            "status": "discarded" if row.skipped else "submitted",
        }
        for row in done
    ]
    people = [row.annotator for row in done]
    return {
        "fields": {names.text: first.text} | ({} if first.pair is None else {names.pair: first.pair}),
        "metadata": ({"annotators": people} if any(people) else {}) | dict(first.also),
        "suggestions": {} if first.guess is None else {names.label: {"value": first.guess, "agent": "tuneloop"}},
        "responses": {names.label: responses} if responses else {},
    }


def user_id(annotator: str) -> str:
    """The id of an annotator: a UUID as it is, of any other name always the same one."""
    try:
        return str(uuid.UUID(annotator))
    except ValueError:
        return str(uuid.uuid5(SPACE, annotator))


ARGILLA = Argilla()
