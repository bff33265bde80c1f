"""The files of a benchmark task as examples: labelled ones for training and figures, others for the submission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuneloop.core.config import Columns
from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.examples import Examples
from tuneloop.data.labelled import LabelReader, labelled
from tuneloop.data.readers.table import Table
from tuneloop.suites.base import Benchmark, Cell, Files, Suite

MAX_CHARS = 1_000_000


@dataclass(frozen=True)
class Rows:
    """Rows that were read.

    Args:
        examples: the rows.
        dropped: how many had no label that counts.
        files: what they were read from.
    """

    examples: Examples
    dropped: int
    files: tuple[Path, ...]


def find_folder(data: Path, benchmark: Benchmark, suite: Suite) -> Path:
    """The folder of a task, by any of its usual names; upper and lower case are alike.

    Raises:
        DataError: if there is none.
    """
    names = {name.casefold() for name in (benchmark.name, *benchmark.folders)}
    names |= {f"{name}{suite.suffix}" for name in names}
    here = data
    for _ in range(2):  # some archives hold a folder of the same name
        inside = sorted(entry for entry in here.iterdir() if entry.is_dir()) if here.is_dir() else []
        found = next((entry for entry in inside if entry.name.casefold() in names), None)
        if found is None:
            break
        here = found
    if here == data:
        raise DataError(
            t("There is no folder {name} in {data}.", name=f"{benchmark.name}{suite.suffix}", data=data),
            t("Unpack the official archive of the task there."),
        )
    return here


def read_labelled(benchmark: Benchmark, files: Files, folder: Path, task: LabelReader) -> Rows:
    """Rows with their labels, without those that nobody could agree on.

    Raises:
        DataError: with file, row and what is wrong.
    """
    paths = _paths(files, folder)
    parts, dropped = [], 0
    for path in paths:
        records = benchmark.read(path, True)
        table = _mapped(records, benchmark, with_label=True)
        label = table.columns["label"]
        kept = [row for row, value in enumerate(label) if value not in benchmark.fields.drop]
        dropped += len(label) - len(kept)
        columns = Columns.model_validate({"pair": None if benchmark.fields.pair is None else "pair"})
        examples = labelled(table.select(kept), columns, task, max_chars=MAX_CHARS)
        parts.append(_named(examples, path.stem if len(paths) > 1 else ""))
    return Rows(joined(parts), dropped, paths)


def read_unlabelled(benchmark: Benchmark, files: Files, folder: Path) -> Rows | None:
    """Rows to answer, with their own `id` and the `choices` as printed; None if the files are not there.

    Raises:
        DataError: with file, row and what is wrong.
    """
    if not all(any((folder / name).is_file() for name in names) for names in files):
        return None
    paths = _paths(files, folder)
    parts = [_answerable(_mapped(benchmark.read(path, False), benchmark, with_label=False)) for path in paths]
    return Rows(joined(parts), 0, paths)


def joined(parts: list[Examples]) -> Examples:
    """The rows of all parts, one after the other."""
    first, *others = parts
    for other in others:
        first = Examples(
            [*first.ids, *other.ids],
            [*first.texts, *other.texts],
            [*first.labels, *other.labels],
            None if first.pairs is None else [*first.pairs, *(other.pairs or [])],
            {name: [*values, *other.columns[name]] for name, values in first.columns.items()},
        )
    return first


def _paths(files: Files, folder: Path) -> tuple[Path, ...]:
    found = []
    for names in files:
        path = next((folder / name for name in names if (folder / name).is_file()), None)
        if path is None:
            raise DataError(
                t("There is no {names} in {folder}.", names=t(" or ").join(names), folder=folder),
                t("Unpack the official archive of the task there."),
            )
        found.append(path)
    return tuple(found)


def _mapped(records: Table, benchmark: Benchmark, *, with_label: bool) -> Table:
    """The records with the columns that an example is made of."""
    if not len(records):
        raise DataError(
            t("{file} has no rows of data.", file=records.path.name), t("Put the original file there again.")
        )
    fields = benchmark.fields
    wanted: dict[str, Cell | None] = {"text": fields.text, "pair": fields.pair, "group": fields.group}
    wanted |= {"label": fields.label} if with_label else {"id": fields.id}
    columns = {name: _values(records, cell, benchmark) for name, cell in wanted.items() if cell is not None}
    if benchmark.task == "multiple_choice":
        columns["choices"] = columns["pair"]
        columns["pair"] = [list(dict.fromkeys(choices)) for choices in columns["pair"]]
    return replace(records, columns=columns)


def _values(records: Table, cell: Cell, benchmark: Benchmark) -> Sequence[Any]:
    if isinstance(cell, str):
        if cell not in records.columns:
            raise _no_column(records, cell, benchmark)
        return records.columns[cell]
    return [_made(records, row, cell, benchmark) for row in range(len(records))]


def _made(records: Table, row: int, cell: Any, benchmark: Benchmark) -> Any:
    record: Mapping[str, Any] = {name: values[row] for name, values in records.columns.items()}
    try:
        return cell(record)
    except KeyError as error:
        raise _no_column(records, str(error.args[0]), benchmark) from None
    except ValueError as error:
        raise DataError(
            t("{place}: {reason}.", place=records.place(row), reason=error),
            t("Correct it there, or put the original file there again."),
        ) from None


def _no_column(records: Table, name: str, benchmark: Benchmark) -> DataError:
    return DataError(
        t('{file} has no column "{name}".', file=records.path.name, name=name),
        t(
            "The files of {task} have one, this has: {known}. Put the original file there again.",
            task=benchmark.name,
            known=", ".join(list(records.columns)[:30]),
        ),
    )


def _answerable(table: Table) -> Examples:
    for name in ("text", "pair"):
        for row, value in enumerate(table.columns.get(name, [])):
            if not isinstance(value, str) and not (isinstance(value, list) and value):
                raise DataError(
                    t("{place}: the text is missing.", place=table.place(row, name)),
                    t("Correct it there, or put the original file there again."),
                )
    pairs = table.columns.get("pair")
    names = [str(row) for row in range(len(table))]
    return Examples(
        ids=names,
        texts=table.columns["text"],
        pairs=None if pairs is None else ["\n".join(each) if isinstance(each, list) else each for each in pairs],
        columns={"id": table.columns.get("id", names)}
        | {name: values for name, values in table.columns.items() if name in ("choices", "group")},
    )


def _named(examples: Examples, prefix: str) -> Examples:
    return replace(examples, ids=[f"{prefix}-{name}" for name in examples.ids]) if prefix else examples
