"""Events and feedback as JSON lines: for those who keep them elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.watch.base import Event, Feedback


def read_events(path: Path) -> list[Event]:
    """The events of a file, a JSON object with the fields of `Event` on each line, in its order.

    Raises:
        DataError: naming the line, if one is no event.
    """
    return [_event(row, where) for row, where in _rows(path)]


def read_feedback(path: Path, events: Sequence[Event]) -> list[tuple[Event, Feedback]]:
    """The feedback of a file, a JSON object with the fields of `Feedback` on each line, with its events.

    Feedback on other events is left out; of two lines with one key the first counts.

    Raises:
        DataError: naming the line, if one is no feedback.
    """
    by_id = {event.id: event for event in events}
    found: dict[str, Feedback] = {}
    for row, where in _rows(path):
        try:
            feedback = Feedback(
                key=str(row["key"]), event=str(row["event"]), label=row.get("label"), good=row.get("good"),
                at=float(row["at"]), by=str(row.get("by", "")), comment=str(row.get("comment", "")),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise _wrong(where, error) from None
        found.setdefault(feedback.key, feedback)
    return [(by_id[each.event], each) for each in found.values() if each.event in by_id]


def _event(row: dict[str, Any], where: str) -> Event:
    known = {each.name for each in fields(Event)}
    try:
        given = {name: value for name, value in row.items() if name in known}
        given |= {"id": str(row["id"]), "at": float(row["at"]), "release": str(row["release"])}
        given["hash"] = str(row.get("hash", ""))
        given["label"] = None if row.get("label") is None else str(row["label"])
        given["confidence"] = None if row.get("confidence") is None else float(row["confidence"])
        given["chars"] = int(row.get("chars") or len(row.get("text") or ""))
        if row.get("vector") is not None:
            given["vector"] = tuple(map(float, row["vector"]))
        given["rules"] = tuple(row.get("rules") or ())
        given["tags"] = {str(name): str(value) for name, value in (row.get("tags") or {}).items()}
        return Event(**given)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _wrong(where, error) from None


def _rows(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # U+2028 ends no line of JSON
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(t("{path} cannot be read: {error}.", path=path, error=error)) from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = t("{where}, line {line}", where=path, line=number)
        try:
            row = json.loads(line)
        except ValueError as error:
            raise _wrong(where, error) from None
        if not isinstance(row, dict):
            raise _wrong(where, "{}")
        yield row, where


def _wrong(where: str, error: object) -> DataError:
    return DataError(
        t("{where}: this is no event or feedback ({error}).", where=where, error=error),
        t("Write one JSON object a line, with at least id, at and release; feedback has key, event and at."),
    )
