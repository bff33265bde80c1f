"""Labels out of the store, for tuning and for other tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneloop.core.config import DataConfig
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.fsio import write_json_lines, write_text
from tuneloop.core.i18n import t
from tuneloop.data.readers import read_table
from tuneloop.data.readers.samples import columns_of
from tuneloop.labelling.formats import FORMATS, format_of
from tuneloop.labelling.kinds import kind_of, read_input, read_label
from tuneloop.labelling.rows import Names, Row
from tuneloop.labelling.store import Item, LabelStore, item_id
from tuneloop.labelling.votes import Taken, adjudicate, by_item, written


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        rows: with a label.
        undecided: texts on which people are tied; they are left out.
        several: texts that have more than one row.
        filled: rows of the data without a label that got one.
        kept: rows of the data whose label is another one than people gave now; theirs stays.
    """

    path: Path
    rows: int
    undecided: int = 0
    several: int = 0
    filled: int = 0
    kept: int = 0


def export_file(
    store: LabelStore,
    path: Path,
    *,
    format: str = "",
    adjudicated: str = "",
    names: Names | None = None,
    skipped: bool = False,
    force: bool = False,
) -> Exported:
    """Write every answer, or with `adjudicated` the one label that is taken of each text.

    Args:
        format: a name of `FORMATS`; by default the file's name tells it.
        adjudicated: "majority" or "dawid-skene".
        skipped: also what was skipped, where every answer is written.
        force: whether a file that is there is replaced.

    Raises:
        ConfigError: if the file exists, or the format has no such labels.
        DataError: if nothing is labelled.
    """
    form = format_of(path, format)
    refuse_existing(path, force=force)
    rows, undecided = _taken_rows(store, adjudicated) if adjudicated else (_rows(store, skipped=skipped), 0)
    if not rows:
        raise DataError(
            t("There is nothing to export: no text is labelled yet, or people are tied on all of them."),
            t("Label some with: tuneloop label next, or settle ties with: tuneloop label next --disagreed"),
        )
    write_text(path, FORMATS.get(form).write(rows, names or Names(), kind_of(store.task)))
    texts = len({(row.text, row.pair) for row in rows})
    return Exported(path, sum(not row.skipped for row in rows), undecided, several=len(rows) - texts)


def write_to_label(
    items: Sequence[Item], path: Path, *, task: str, format: str = "", names: Names | None = None, force: bool = False
) -> None:
    """Write texts for another tool to label; what the model would answer goes with them as its suggestion.

    Raises:
        ConfigError: if the file exists and `force` is not set.
    """
    form, kind = format_of(path, format), kind_of(task)
    refuse_existing(path, force=force)
    rows = [Row(item.text, item.pair, guess=item.guess if kind == "class" else None) for item in items]
    write_text(path, FORMATS.get(form).write(rows, names or Names(), kind))


def add_to_data(
    store: LabelStore,
    source: str,
    path: Path,
    *,
    config: DataConfig,
    base: Path,
    adjudicated: str = "majority",
    force: bool = False,
) -> Exported:
    """Write a new file, JSON lines: the rows of `source`, those without a label filled, and behind them what is new.

    The old file is never changed. A row that has a label keeps it, whatever people say now.

    Raises:
        ConfigError: if `path` is the old file or exists.
        DataError: if the old file cannot be read, or a row of it is wrong.
    """
    table = read_table(source, base=base, format=config.format, encoding=config.encoding)
    if path.exists() and path.samefile(table.path):
        raise ConfigError(t("{path} is the old file, which is never changed.", path=path), t("Choose another name."))
    if path.suffix.lower() not in (".jsonl", ".ndjson"):
        raise ConfigError(t("{path} would hold JSON lines.", path=path), t("Give it a name that ends in .jsonl."))
    refuse_existing(path, force=force)
    columns = columns_of(source, config.columns)
    texts, pairs = (
        table.column(columns.text, setting="data.columns.text"),
        [None] * len(table) if columns.pair is None else table.column(columns.pair, setting="data.columns.pair"),
    )
    taken = adjudicate(kind_of(store.task), store.answers(), by=adjudicated)
    left = {item: each for item, each in taken.items() if each.label is not None}
    undecided, lines, filled, kept, seen = len(taken) - len(left), [], 0, 0, set[str]()
    items, empty_counts = store.items(), kind_of(store.task) in ("classes", "spans")
    for row, (text, pair) in enumerate(zip(texts, pairs, strict=True)):
        values = {name: column[row] for name, column in table.columns.items()}
        try:
            key = item_id(*read_input(store.task, text, pair))
            raw = values.get(columns.label)
            empty = isinstance(raw, str) and not raw.strip() and not empty_counts
            old = None if raw is None or empty else read_label(store.task, text, pair, raw)
        except ValueError:  # a row that tuning would clean away, or refuse with its place
            key, old = "", None
        if key in left:
            seen.add(key)
            if old is None:
                values |= {columns.text: items[key].text, columns.label: left[key].label}
                filled += 1
            else:
                kept += written(old) != written(left[key].label)
        lines.append(_plain(values))
    names = Names(columns.text, columns.pair or "pair", columns.label)
    fresh = [_object(items[key], each, names) for key, each in left.items() if key not in seen]
    write_json_lines(path, [*lines, *fresh])
    return Exported(path, len(fresh), undecided, filled=filled, kept=kept)


def refuse_existing(path: Path, *, force: bool) -> None:
    """Nothing, if a file may be written there.

    Raises:
        ConfigError: if it exists and is not to be replaced.
    """
    if path.is_dir() or (path.exists() and not force):
        raise ConfigError(t("{path} exists already.", path=path), t("Choose another name, or replace it with --force."))


def _rows(store: LabelStore, *, skipped: bool) -> list[Row]:
    items = store.items()
    answers = by_item(store.answers(skipped=skipped))
    return [
        Row(items[item].text, items[item].pair, each.label, each.annotator, each.skipped, each.at, each.seconds)
        for item, given in answers.items()
        for each in given
    ]


def _taken_rows(store: LabelStore, adjudicated: str) -> tuple[list[Row], int]:
    items, kind = store.items(), kind_of(store.task)
    taken = adjudicate(kind, store.answers(), by=adjudicated)
    rows = [
        Row(items[item].text, items[item].pair, each.label,
            also={"probability": round(each.probability, 6), "people": each.people})
        for item, each in taken.items()
        if each.label is not None
    ]  # fmt: skip
    return rows, len(taken) - len(rows)


def _object(item: Item, taken: Taken, names: Names) -> dict[str, Any]:
    found = {names.text: item.text, names.pair: item.pair, names.label: taken.label}
    return {key: value for key, value in found.items() if value is not None}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """A row without the cells in which nothing stands, or what is not a number."""
    return {key: value for key, value in values.items() if value is not None and value == value}
