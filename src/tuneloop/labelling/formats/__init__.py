"""Files of labels, one module for each tool that reads and writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.registry import Registry
from tuneloop.labelling.kinds import Kind
from tuneloop.labelling.rows import Names, Row


class Format(Protocol):
    """How one tool writes labels down."""

    def read(self, path: Path, names: Names, kind: Kind) -> list[Row]:
        """The rows of a file; DataError with file, row and field at the first thing that is wrong."""

    def write(self, rows: Sequence[Row], names: Names, kind: Kind) -> str:
        """The text of a file; ConfigError if the tool has no such labels."""


FORMATS: Registry[Format] = Registry(
    "label format",
    "tuneloop.label_formats",
    {
        "jsonl": "tuneloop.labelling.formats.tables:JSONL",
        "csv": "tuneloop.labelling.formats.tables:CSV",
        "label-studio": "tuneloop.labelling.formats.label_studio:LABEL_STUDIO",
        "doccano": "tuneloop.labelling.formats.doccano:DOCCANO",
        "argilla": "tuneloop.labelling.formats.argilla:ARGILLA",
    },
)
SUFFIXES = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def format_of(path: Path, asked: str = "") -> str:
    """The format that is asked for, else the one that the file's name tells.

    Raises:
        ConfigError: if the name does not tell it.
    """
    if asked:
        FORMATS.get(asked)
        return asked
    if path.suffix.lower() in SUFFIXES:
        return SUFFIXES[path.suffix.lower()]
    raise ConfigError(
        t("The format of {file} cannot be told from its name.", file=path.name),
        t("Name it with --format: {known}.", known=", ".join(FORMATS.names())),
    )
