"""Files as tables: one reader per format, found by the name of the file or by `data.format`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.core.registry import Registry
from tuneloop.data.readers.chat import PARQUET, holds_talks, is_chat, split_talks
from tuneloop.data.readers.preferences import is_preferences
from tuneloop.data.readers.samples import SAMPLE_PREFIX, find_sample
from tuneloop.data.readers.squad import is_squad
from tuneloop.data.readers.table import Reader, Table
from tuneloop.data.readers.whole_json import head_of

READERS: Registry[Reader] = Registry(
    "reader",
    "tuneloop.readers",
    {
        "csv": "tuneloop.data.readers.delimited:read_csv",
        "tsv": "tuneloop.data.readers.delimited:read_tsv",
        "jsonl": "tuneloop.data.readers.jsonl:read_jsonl",
        "txt": "tuneloop.data.readers.lines:read_txt",
        "conll": "tuneloop.data.readers.tagged:read_conll",
        "slashed": "tuneloop.data.readers.tagged:read_slashed",
        "plain_tsv": "tuneloop.data.readers.plain_tsv:read_plain_tsv",
        "squad": "tuneloop.data.readers.squad:read_squad",
        "c3": "tuneloop.data.readers.c3:read_c3",
        "chid": "tuneloop.data.readers.chid:read_chid",
        "chat": "tuneloop.data.readers.chat:read_chat",
        "preferences": "tuneloop.data.readers.preferences:read_preferences",
        "dialogues": "tuneloop.data.readers.dialogues:read_dialogues",
        "parquet": "tuneloop.data.readers.parquet:read_parquet",
        "datasets": "tuneloop.data.readers.datasets_folder:read_datasets_folder",
    },
)
SUFFIXES = {".bio": "conll", ".iob": "conll", ".tab": "tsv", ".ndjson": "jsonl", ".json": "jsonl", ".pq": "parquet"}
TEXT_FORMATS = (
    "csv",
    "tsv",
    "plain_tsv",
    "jsonl",
    "txt",
    "conll",
    "slashed",
    "squad",
    "c3",
    "chid",
    "chat",
    "preferences",
)
MAGIC = {
    b"PK\x03\x04": "Excel or ZIP", b"\xd0\xcf\x11\xe0": "Excel (xls)", b"%PDF": "PDF", b"\x1f\x8b": "gzip",
    b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "7-Zip", b"Rar!": "RAR", b"\x28\xb5\x2f\xfd": "zstd",
    b"SQLite format 3": "SQLite", b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"{\\rtf": "RTF", b"\x89HDF": "HDF5",
    b"ARROW1": "Arrow", b"PAR1": "Parquet",
}  # fmt: skip
"""How files begin that are often taken for tables."""


def locate(source: str, *, base: Path) -> Path:
    """Where a source lies: a file or folder relative to `base`, or a packaged `sample:NAME`.

    Raises:
        DataError: if there is nothing.
        MissingExtraError: if the sample's package is not installed.
    """
    if source.startswith(SAMPLE_PREFIX):
        return find_sample(source).path()
    path = base / Path(source).expanduser()
    if not path.exists():
        raise DataError(t("There is no data at {path}.", path=path), _nearby(path))
    return path


def read_table(source: str, *, base: Path, format: str = "auto", encoding: str = "auto", split: str = "train") -> Table:
    """The rows of a source.

    Args:
        source: a file or folder, or `sample:NAME`.
        base: what a relative path starts from.
        format: a name of `READERS`; auto looks at the file's name, and at the first row for a conversation.
        encoding: a name such as gb18030; auto detects it.
        split: which split to read, of a source that holds several.

    Raises:
        DataError: if it cannot be read; with file, row, column and remedy.
    """
    path = locate(source, base=base)
    sample = find_sample(source) if source.startswith(SAMPLE_PREFIX) else None
    if sample:
        format = sample.format if format == "auto" else format
        encoding = sample.encoding if encoding == "auto" else encoding
    name = _format(path) if format == "auto" else format
    _refuse_what_it_is_not(path, name)
    try:
        table = READERS.get(name)(path, encoding=encoding, split=split)
    except PermissionError:
        raise DataError(t("You may not read {path}.", path=path), t("Change its permissions.")) from None
    except OSError as error:
        raise DataError(
            t("{path} cannot be read: {error}", path=path, error=error.strerror or error), t("Check the disk.")
        ) from None
    if format == "auto" and name in ("parquet", "datasets") and holds_talks(table):
        table = split_talks(table)
    if sample and sample.labels:
        named = [sample.named(label) for label in table.columns["label"]]
        table = replace(table, columns={**table.columns, "label": named})
    if not len(table):
        raise DataError(
            t("{file} has no rows of data.", file=path.name), t("Give a file with at least one row below the header.")
        )
    return table


def _format(path: Path) -> str:
    if path.is_dir():
        return "datasets"
    suffix = path.suffix.lower()
    if suffix == ".json" and is_squad(path):
        return "squad"
    if suffix in (".json", ".jsonl", ".ndjson") and is_preferences(path):
        return "preferences"
    if suffix in (".json", ".jsonl", ".ndjson") and is_chat(path):
        return "chat"
    name = SUFFIXES.get(suffix, suffix.removeprefix("."))
    if name not in READERS.names():
        _refuse_by_magic(path)
        raise DataError(
            t("The format of {file} cannot be told from its name.", file=path.name),
            t("Set data.format to one of: {known}.", known=", ".join(READERS.names())),
        )
    return name


def _refuse_what_it_is_not(path: Path, format: str) -> None:
    if format not in READERS.names():
        READERS.get(format)
    if path.is_dir() and format not in ("datasets", "chat", "preferences", "txt", "dialogues"):
        raise DataError(
            t("{path} is a folder, not a file.", path=path), t("Name a file inside it, or set data.format: datasets.")
        )
    if path.is_file() and format == "datasets":
        raise DataError(
            t("{path} is a file, not a folder.", path=path), t("Give a folder written by Dataset.save_to_disk.")
        )
    if format in TEXT_FORMATS and not (format in ("chat", "preferences") and _is_parquet(path)):
        _refuse_by_magic(path)


def _is_parquet(path: Path) -> bool:
    return path.is_file() and head_of(path, len(PARQUET)) == PARQUET


def _refuse_by_magic(path: Path) -> None:
    if not path.is_file():  # a pipe or a device cannot be read twice
        return
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return  # the reader says why
    kind = next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)
    if kind == "Parquet":
        raise DataError(t("{file} is a Parquet file.", file=path.name), t("Set data.format: parquet."))
    if kind:
        raise DataError(
            t("{file} is not a text file but {kind}.", file=path.name, kind=kind),
            t("Unpack it, or save the table as CSV in UTF-8."),
        )


def _nearby(path: Path) -> str:
    import difflib

    try:
        names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    except OSError:
        names = []
    near = difflib.get_close_matches(path.name, names, n=1)
    return (
        t("Did you mean {name}?", name=near[0])
        if near
        else t("Check the name of the file, or data.source in tuneloop.yaml.")
    )


__all__ = ["READERS", "Reader", "Table", "locate", "read_table"]
