"""What a file of labels says, row by row, whatever tool wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tuneloop.core.i18n import t


class Names(NamedTuple):
    """What text, second text and label are called in a file."""

    text: str = "text"
    pair: str = "pair"
    label: str = "label"


@dataclass(frozen=True)
class Row:
    """A text, and what one person says of it.

    Args:
        label: as the file has it, or as JSON keeps it; None where there is none.
        annotator: empty where the file does not say.
        place: file and row, for an error.
        where: where in the row the label stands, for an error.
        guess: what a model would answer, for whoever labels.
        also: what else is known, such as the probability of a label.
    """

    text: Any
    pair: Any = None
    label: Any = None
    annotator: str = ""
    skipped: bool = False
    at: float | None = None
    seconds: float | None = None
    place: str = ""
    where: str = "label"
    guess: Any = None
    also: Mapping[str, Any] = field(default_factory=dict)


def grouped(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows of each text together, in the order in which the texts come."""
    groups: dict[tuple[Any, Any], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.text, row.pair), []).append(row)
    return list(groups.values())


def answered(row: Row) -> bool:
    """Whether somebody has looked at the text."""
    return row.skipped or row.label is not None


def iso(at: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601, UTC."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def seconds_of(raw: Any) -> float | None:
    """Seconds since 1970 from ISO 8601 or a number; None where there is neither.

    Raises:
        ValueError: if it is no time.
    """
    if raw is None or raw == "":
        return None
    try:
        return float(raw)
    except (TypeError, ValueError):
        pass
    try:
        found = datetime.fromisoformat(str(raw))
    except ValueError:
        raise ValueError(t("{value} is no time", value=repr(raw)[:60])) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
