"""A table as examples: columns mapped, labels parsed, every cell that cannot be used refused."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Protocol

from tuneloop.core.config import Columns, DataConfig
from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.core.preparation import CleanConfig
from tuneloop.data.examples import Examples, Input, Label
from tuneloop.data.mapped import mapped
from tuneloop.data.readers import read_table
from tuneloop.data.readers.samples import columns_of
from tuneloop.data.readers.table import Table
from tuneloop.media.rows import items, pairs

ITEM, OTHERS = "(item)", "(others)"
"""Columns that are made of others."""


class LabelReader(Protocol):
    """What the data layer must know of a task; `tuneloop.tasks.task_class(config.task)` is one."""

    @property
    def name(self) -> str:
        """What the task is called."""

    @property
    def takes_pairs(self) -> bool:
        """Whether it judges two texts."""

    @property
    def has_classes(self) -> bool:
        """Whether its labels are classes."""

    @property
    def fewest_classes(self) -> int:
        """How many classes there must be."""

    @property
    def needs_label(self) -> bool:
        """Whether a file must have a column of labels."""

    @property
    def row_by_row(self) -> bool:
        """Whether a label is understood only beside its text."""

    @property
    def free_answers(self) -> bool:
        """Whether labels are texts of which many may be right."""

    @property
    def unit(self) -> Literal["", "text", "pair"]:
        """Of rows with an equal text, or an equal second one, none may stand in another split; empty: of no rows."""

    def parse_input(self, text: Any, pair: Any) -> tuple[Any, Any]:
        """Text and pair of a row as the task has them; ValueError with the reason if they are not such."""

    def parse_row(self, text: Any, pair: Any, label: Any) -> tuple[Any, Any, Label]:
        """Text, pair and label of a row; ValueError with the reason if they do not fit together."""

    def parse_label(self, raw: Any) -> Label:
        """The label in one cell; ValueError with the reason if it cannot be one."""

    def moved(self, label: Label, before: Input, after: Input, config: CleanConfig) -> Label:
        """The label of an input that was mended; ValueError with the reason if it no longer fits."""

    def label_names(self, labels: Iterable[Label]) -> list[str]:
        """The class names that occur, sorted; empty for tasks without classes."""


def labelled(
    table: Table, columns: Columns, task: LabelReader, *, max_chars: int, media: Path | None = None
) -> Examples:
    """The rows of a table with their labels; those with files or values are items (see `media.items`).

    Args:
        media: where files are kept; None leaves them where they are.

    Raises:
        DataError: at the first missing column, missing or overlong text, impossible label or
            repeated id, with its place and a remedy.
    """
    if columns.mixed:
        table, columns = _as_items(table, columns, task, media)
    if task.takes_pairs and columns.pair is None:
        raise DataError(
            t("The task {task} needs a second text.", task=task.name),
            t("Name its column in data.columns.pair."),
        )
    labels = None
    if task.row_by_row:
        table, labels = _row_by_row(table, columns, task)
    if task.free_answers:
        _texts(table, columns.label, setting="data.columns.label", max_chars=max_chars)
    texts = _texts(table, columns.text, setting="data.columns.text", max_chars=max_chars)
    pairs = None
    if task.takes_pairs and columns.pair is not None:
        pairs = _texts(table, columns.pair, setting="data.columns.pair", max_chars=max_chars)
    return Examples(
        ids=_ids(table, columns.id),
        texts=texts,
        labels=_labels(table, columns.label, task) if labels is None else labels,
        pairs=pairs,
        columns=_others(table, columns, with_pair=task.takes_pairs),
    )


def read_unlabelled(
    source: str,
    config: DataConfig,
    *,
    base: Path,
    task: LabelReader | None = None,
    format: str = "auto",
    setting: str = "data.columns.text",
) -> Examples:
    """Rows to predict: text and pair; no label is needed, and no row is changed or left out.

    `columns` holds every column of the file, in its order, so that it can be written back; prompts as they were given.

    Args:
        source: a file or folder, or `sample:NAME`.
        config: its columns, encoding and longest text; of another file than the training data.
        base: what a relative path starts from.
        task: what the rows are for; by default single texts.
        format: see `DataConfig.format`.
        setting: what names the column of the texts.

    Raises:
        DataError: if the file cannot be read or has no such column.
    """
    given = table = read_table(source, base=base, format=format, encoding=config.encoding)
    columns = columns_of(source, config.columns)
    mixed = columns.mixed
    if mixed:
        table, columns = _as_items(table, columns, task, None)
    limit = config.max_text_chars
    pair = columns.pair if task and task.takes_pairs else None
    if task and task.row_by_row:
        table, _ = _parsed(table, columns.text, pair, task.parse_input, at=pair or columns.text)
    return Examples(
        ids=_ids(table, None),
        texts=_texts(table, columns.text, setting=setting, max_chars=limit),
        pairs=None if pair is None else _texts(table, pair, setting="data.columns.pair", max_chars=limit),
        columns=dict((given if mixed or (task and task.free_answers) else table).columns),
    )


def _as_items(table: Table, columns: Columns, task: LabelReader | None, media: Path | None) -> tuple[Table, Columns]:
    """The table with each row's item in one more column, and what is to be found by a text in another."""
    if task is not None and task.takes_pairs:
        texts, others = pairs(table, columns, folder=media)
        more, named = {ITEM: texts, OTHERS: others}, {"text": ITEM, "pair": OTHERS}
    else:
        more, named = {ITEM: items(table, columns, folder=media)}, {"text": ITEM}
    return replace(table, columns={**table.columns, **more}), columns.model_copy(update=named)


def refuse_twin_labels(names: Sequence[str], *, file: str) -> None:
    """Nothing, if no two class names look alike.

    Raises:
        DataError: if two differ only in width or spacing, such as "A" and the full-width "Ａ".
    """
    seen: dict[str, str] = {}
    for name in names:
        plain = " ".join(unicodedata.normalize("NFKC", name).split())
        if plain in seen:
            raise DataError(
                t("{file}: the labels {first!r} and {second!r} look alike.", file=file, first=seen[plain], second=name),
                t("Write them in one way; they differ only in width or spaces."),
            )
        seen[plain] = name


def _texts(table: Table, name: str, *, setting: str, max_chars: int) -> Sequence[str]:
    values = table.column(name, setting=setting)
    for row, value in enumerate(values):
        if not isinstance(value, str):
            if value is None:
                raise DataError(
                    t("{place}: the text is missing.", place=table.place(row, name)),
                    t("Fill it in, or leave the row out."),
                )
            raise DataError(
                t("{place}: {value!r} is not a text.", place=table.place(row, name), value=_short(value)),
                t("Put texts in quotes, or set {setting} to the column with the texts.", setting=setting),
            )
        if len(value) > max_chars:
            raise DataError(
                t(
                    "{place}: the text has {size} characters, more than data.max_text_chars ({limit}).",
                    place=table.place(row, name),
                    size=f"{len(value):,}",
                    limit=f"{max_chars:,}",
                ),
                t("Shorten it, look for an unclosed quote, or raise data.max_text_chars."),
            )
    return values


def _row_by_row(table: Table, columns: Columns, task: LabelReader) -> tuple[Table, list[Label]]:
    """The table with texts and pairs as the task has them, and its labels."""
    raw: Sequence[Any] = [None] * len(table)
    if task.needs_label or columns.label in table.columns:
        raw = table.column(columns.label, setting="data.columns.label")
    table, read = _parsed(table, columns.text, columns.pair, task.parse_row, raw, at=columns.label)
    return table, [label for _, _, label in read]


def _parsed(
    table: Table, text: str, pair: str | None, parse: Callable[..., tuple[Any, ...]], *beside: Sequence[Any], at: str
) -> tuple[Table, list[tuple[Any, ...]]]:
    """What `parse` makes of each row, text and pair first, and the table with these.

    Args:
        beside: what it is given beside text and pair, by row.
        at: the column that an error names.
    """
    texts = table.column(text, setting="data.columns.text")
    pairs: Sequence[Any] = [None] * len(table) if pair is None else table.column(pair, setting="data.columns.pair")
    read = []
    for row, given in enumerate(zip(texts, pairs, *beside, strict=True)):
        try:
            read.append(parse(*given))
        except ValueError as error:
            raise DataError(
                t("{place}: {reason}.", place=table.place(row, at), reason=error),
                t("Correct the row, or leave it out of the file."),
            ) from None
    mine = {text: [each[0] for each in read]} | ({} if pair is None else {pair: [each[1] for each in read]})
    return replace(table, columns={**table.columns, **mine}), read


def _labels(table: Table, name: str, task: LabelReader) -> list[Label]:
    parsed: dict[Any, Label] = {}
    labels = []
    for row, raw in enumerate(table.column(name, setting="data.columns.label")):
        # True == 1 == 1.0 as keys, yet they are written differently
        key = raw if isinstance(raw, str) else repr(raw)
        if key not in parsed or not isinstance(raw, str):
            parsed[key] = _label(table, row, name, raw, task)
        labels.append(parsed[key])
    return labels


def _label(table: Table, row: int, name: str, raw: Any, task: LabelReader) -> Label:
    try:
        label = task.parse_label(raw)
    except ValueError as error:
        raise DataError(
            t("{place}: {reason}.", place=table.place(row, name), reason=error),
            t("Give the row a label, or leave it out of the file."),
        ) from None
    if isinstance(label, str) and isinstance(raw, list | dict):
        raise DataError(
            t("{place}: {value!r} is not one label.", place=table.place(row, name), value=_short(raw)),
            t("For several labels per text set task: multilabel."),
        )
    return label


def _ids(table: Table, name: str | None) -> Sequence[str]:
    if name is None:
        return mapped(map(str, table.rows))
    first: dict[str, int] = {}
    for row, value in enumerate(table.column(name, setting="data.columns.id")):
        key = "" if value is None else str(value).strip()
        if not key:
            raise DataError(
                t("{place}: the id is empty.", place=table.place(row, name)),
                t("Give every row an id, or remove data.columns.id."),
            )
        if key in first:
            raise DataError(
                t("{place}: the id {value!r} is that of {other} too.", place=table.place(row, name), value=key[:60],
                  other=table.place(first[key])),
                t("Make ids unique, or remove data.columns.id."),
            )  # fmt: skip
        first[key] = row
    return list(first)


def _others(table: Table, columns: Columns, *, with_pair: bool) -> dict[str, Sequence[Any]]:
    for setting in ("group", "time"):
        name = getattr(columns, setting)
        if name is not None:
            table.column(name, setting=f"data.columns.{setting}")
    taken = {columns.text, columns.label, columns.id, columns.pair if with_pair else None}
    return {name: values for name, values in table.columns.items() if name not in taken}


def _short(value: Any) -> str:
    return str(value)[:60]
