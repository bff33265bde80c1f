"""The texts that functions label, and the rows of dev that they are judged by."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from tuneloop.core.config import RunConfig
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.data.clean import clean_texts
from tuneloop.data.duplicates import comparables
from tuneloop.data.examples import Examples
from tuneloop.data.labelled import labelled, read_unlabelled
from tuneloop.data.readers import locate, read_table
from tuneloop.data.readers.samples import columns_of
from tuneloop.data.snapshot import build_snapshot
from tuneloop.tasks.classification import Classification

PROBABILITIES = "probabilities"
"""The column of written rows with the probability of each class."""

FUNCTIONS = "functions"
"""The column with the names of the functions that said something."""


@dataclass(frozen=True)
class Gathered:
    """What functions are asked about.

    Args:
        texts: distinct, cleaned as in training; without labels.
        dev: rows with the labels of people; None where there are none.
        dealt: dev and test, where they are parts of `data.source` and not files of their own.
    """

    texts: Examples
    dev: Examples | None
    dealt: dict[str, Examples] = field(default_factory=dict)


def gather(config: RunConfig, *, base: Path, workspace: Workspace, quiet: bool = False) -> Gathered:
    """The texts that the section `weak` names, and dev.

    Dev is the file `data.dev`, else the dev split of `data.source`, but never rows that functions have labelled.

    Raises:
        ConfigError: if the task is not classification of single texts.
        DataError: if a file cannot be read.
    """
    if config.task.type != "classification":
        raise ConfigError(
            t("Labelling functions give single texts one class each; the task is {task}.", task=config.task.type),
            t("Set task: classification."),
        )
    texts = _texts(config, base) if config.weak.texts else None
    dev = _file(config, config.data.dev, base) if config.data.dev else None
    dealt: dict[str, Examples] = {}
    if texts is None or (dev is None and _is_there(config.data.source, base)):
        snapshot = build_snapshot(config, task=Classification, workspace=workspace, base=base, quiet=quiet)
        texts = snapshot.split("train") if texts is None else texts
        if dev is None and _by_people(snapshot.split("dev")):
            dev = snapshot.split("dev")
            dealt = {name: snapshot.split(name) for name in ("dev", "test") if getattr(config.data, name) is None}
    plain = replace(
        texts,
        labels=[],
        columns={
            name: texts.columns[name]
            for name in texts.columns
            if name not in (config.data.columns.label, PROBABILITIES, FUNCTIONS)
        },
    )
    return Gathered(plain, dev, dealt)  # fmt: skip


def _texts(config: RunConfig, base: Path) -> Examples:
    """The distinct texts of the file `weak.texts`."""
    source = config.weak.texts
    found = read_unlabelled(source, config.data, base=base, task=Classification)
    texts, _ = clean_texts(found.texts, config.data.clean)
    cleaned = replace(found, texts=texts)
    column = columns_of(source, config.data.columns).text
    cleaned = replace(cleaned, columns={name: each for name, each in found.columns.items() if name != column})
    first: dict[str, int] = {}
    for row, text in enumerate(comparables(cleaned)):
        if text.strip():
            first.setdefault(text, row)
    if not first:
        raise DataError(
            t("{file}: every text is blank.", file=source), t("Set data.columns.text to the column with texts.")
        )
    return cleaned.select(list(first.values()))


def _file(config: RunConfig, source: str, base: Path) -> Examples:
    table = read_table(source, base=base, format=config.data.format, encoding=config.data.encoding)
    columns = columns_of(source, config.data.columns)
    rows = labelled(table, columns, Classification, max_chars=config.data.max_text_chars)
    texts, _ = clean_texts(rows.texts, config.data.clean)
    return replace(rows, texts=texts)


def _is_there(source: str, base: Path) -> bool:
    try:
        locate(source, base=base)
    except DataError:
        return False
    return True


def _by_people(rows: Examples) -> bool:
    """Whether functions have labelled none of the rows."""
    return all(value is None for value in rows.columns.get(PROBABILITIES, ()))
