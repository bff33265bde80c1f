"""Labels from a file into the store: all of them, or none and one error."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.labelling.formats import FORMATS, format_of
from tuneloop.labelling.kinds import kind_of, names_in, read_input, read_label, refuse_unknown
from tuneloop.labelling.rows import Names, Row
from tuneloop.labelling.store import Answer, Item, LabelStore, item_id


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Args:
        added: answers that are new, or other than what the person had said before.
        unchanged: answers that were there already.
        skipped: texts that the person had skipped.
        empty: rows without an answer.
        names: classes that are new.
    """

    added: int
    unchanged: int
    skipped: int
    empty: int
    names: tuple[str, ...]


def import_file(
    store: LabelStore,
    path: Path,
    *,
    format: str = "",
    annotator: str,
    names: Names | None = None,
    max_chars: int = 100_000,
) -> Imported:
    """Add what a file says to the store. Importing it twice changes nothing the second time.

    Args:
        format: a name of `FORMATS`; by default the file's name tells it.
        annotator: who labelled the rows that name nobody.
        names: what text, pair and label are called in the file.
        max_chars: of a text.

    Raises:
        DataError: with file, row and field at the first row that is wrong; nothing is then kept.
        ConfigError: if there is no such format, or it has no labels of this kind.
    """
    kind = kind_of(store.task)
    rows = FORMATS.get(format_of(path, format)).read(path, names or Names(), kind)
    found = _answers(store, rows, annotator, max_chars)
    before = {(each.item, each.annotator): (each.label, each.skipped) for each in store.answers(skipped=True)}
    fresh = [
        (item, answer)
        for item, answer, _ in found
        if before.get((answer.item, answer.annotator)) != (answer.label, answer.skipped)
    ]
    known = store.names
    new = [name for name in names_in(store.task, (answer.label for _, answer in fresh if not answer.skipped))
           if name not in known]  # fmt: skip
    store.keep([item for item, _ in fresh], [answer for _, answer in fresh], names=new)
    skipped = sum(answer.skipped for _, answer in fresh)
    return Imported(
        len(fresh) - skipped, len(found) - len(fresh), skipped, sum(not _has_answer(row) for row in rows), tuple(new)
    )


def _has_answer(row: Row) -> bool:
    return row.skipped or row.label is not None


def _answers(store: LabelStore, rows: Sequence[Row], annotator: str, max_chars: int) -> list[tuple[Item, Answer, Row]]:
    seen: dict[tuple[str, str], tuple[Any, Row]] = {}
    known, now, found = store.names, time.time(), []
    for row in rows:
        text, pair = _input(store.task, row, max_chars)
        if not _has_answer(row):
            continue
        label = None if row.skipped else _label(store.task, row, known)
        who = check_annotator(row.annotator or annotator, place=row.place)
        item = item_id(text, pair)
        if (item, who) in seen:
            said, other = seen[item, who]
            if said != label:
                raise _wrong(
                    row,
                    row.where,
                    t("{who} has labelled the same text otherwise at {place}", who=who, place=other.place),
                )
            continue
        seen[item, who] = label, row
        at = now if row.at is None else row.at
        found.append((Item(item, text, pair), Answer(0, item, who, label, row.skipped, at, row.seconds), row))
    return found


def _input(task: str, row: Row, max_chars: int) -> tuple[str, str | None]:
    try:
        text, pair = read_input(task, row.text, row.pair)
    except ValueError as error:
        raise _wrong(row, "text", str(error)) from None
    longest = max(len(text), len(pair or ""))
    if longest > max_chars:
        reason = t("it has {size} characters, more than data.max_text_chars ({limit})", size=longest, limit=max_chars)
        raise _wrong(row, "text", reason)
    return text, pair


def _label(task: str, row: Row, known: Sequence[str]) -> Any:
    try:
        label = read_label(task, row.text, row.pair, row.label)
    except ValueError as error:
        raise _wrong(row, row.where, str(error)) from None
    try:
        refuse_unknown(task, label, known)
    except ValueError as error:
        hint = t("Correct the row, or allow new classes with --labels; nothing was imported.")
        raise _wrong(row, row.where, str(error), hint) from None
    return label


def check_annotator(name: str, *, place: str = "--annotator") -> str:
    """The name, if it can be one.

    Raises:
        DataError: if it is empty, longer than 100 characters, or has characters that cannot be seen.
    """
    plain = name.strip()
    if not plain or len(plain) > 100 or not plain.isprintable():
        raise DataError(
            t("{place}: {name!r} is not the name of an annotator.", place=place, name=name[:60]),
            t("Write at most 100 visible characters."),
        )
    return plain


def _wrong(row: Row, field: str, reason: str, hint: str = "") -> DataError:
    return DataError(
        t('{place}, field "{name}": {reason}.', place=row.place, name=field, reason=reason),
        hint or t("Correct the row, or leave it out; nothing was imported."),
    )
