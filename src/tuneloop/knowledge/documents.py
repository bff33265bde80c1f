"""Files that people wrote for people, as text that knows its sections and pages."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

from tuneloop.core.errors import DataError, TuneloopError
from tuneloop.core.i18n import t
from tuneloop.core.registry import Registry
from tuneloop.data.clean import CONTROL, SURROGATE

MAX_FILE_BYTES = 64 << 20
MAX_CHARACTERS = 20_000_000
"""Of a document's text: beyond that a small file has been blown up, or it is no document for people."""

BETWEEN_PARTS = "\n\n"

FORMATS: Registry[Reader] = Registry(
    "document format",
    "tuneloop.documents",
    {
        "text": "tuneloop.knowledge.formats.text:read_text",
        "markdown": "tuneloop.knowledge.formats.markdown:read_markdown",
        "html": "tuneloop.knowledge.formats.html:read_html",
        "pdf": "tuneloop.knowledge.formats.pdf:read_pdf",
        "docx": "tuneloop.knowledge.formats.docx:read_docx",
        "csv": "tuneloop.knowledge.formats.passages:read_csv",
        "tsv": "tuneloop.knowledge.formats.passages:read_tsv",
        "jsonl": "tuneloop.knowledge.formats.passages:read_jsonl",
    },
)
SUFFIXES = {
    ".txt": "text", ".text": "text", ".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html",
    ".xhtml": "html", ".pdf": "pdf", ".docx": "docx", ".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}  # fmt: skip


class Part(NamedTuple):
    """A stretch of a document under one heading, on one page.

    Args:
        text: what stands there.
        section: its headings, from the outermost, joined by " > ".
        page: of a PDF, from 1.
        whole: whether it is a row of a table, which is never cut.
    """

    text: str
    section: str = ""
    page: int | None = None
    whole: bool = False


class Reader(Protocol):
    """A function from a file to its parts, in order."""

    def __call__(self, path: Path) -> list[Part]: ...


@dataclass(frozen=True)
class Document:
    """What was read of one file; citations count the characters of its `text`."""

    title: str
    parts: tuple[Part, ...]

    @cached_property
    def text(self) -> str:
        """All parts, with an empty line between them."""
        return BETWEEN_PARTS.join(part.text for part in self.parts)

    def placed(self) -> Iterator[tuple[int, Part]]:
        """Each part with the place in `text` where it begins."""
        start = 0
        for part in self.parts:
            yield start, part
            start += len(part.text) + len(BETWEEN_PARTS)


def read_document(path: Path) -> Document:
    """The text of a file, by the reader that its suffix stands for.

    Raises:
        DataError: if it cannot be read, is too large, is encrypted, or holds no text; it names the file.
        MissingExtraError: if the reader's package is not installed.
    """
    kind = SUFFIXES.get(path.suffix.lower(), path.suffix.lower().removeprefix("."))
    if kind not in FORMATS.names():
        raise DataError(
            t("{file}: documents of this kind are not read.", file=path.name),
            t("Save it as one of: {known}.", known=", ".join(sorted(SUFFIXES))),
        )
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise too_large(path)
        found = FORMATS.get(kind)(path)
    except OSError as error:
        raise DataError(
            t("{path} cannot be read: {error}", path=path, error=error.strerror or error), t("Check its permissions.")
        ) from None
    parts = tuple(part for part in (each._replace(text=plain(each.text)) for each in found) if part.text)
    if sum(len(part.text) for part in parts) > MAX_CHARACTERS:
        raise too_large(path)
    if not parts:
        raise DataError(t("{file}: there is no text in it.", file=path.name), t("Leave it out, or give its text."))
    return Document(path.stem, parts)


def find_files(sources: Sequence[str | Path], *, base: Path) -> list[Path]:
    """The files that are meant: files, folders with all documents below them, and patterns such as docs/*.md.

    Hidden files and folders are left out, links to folders are not followed.

    Raises:
        DataError: if there is no such file, or a pattern or folder has no document.
    """
    found: dict[Path, None] = {}
    for source in sources:
        path = (base / Path(source).expanduser()).resolve()
        if path.is_dir():
            files = sorted(_documents_below(path))
        elif path.exists():
            files = [path]
        else:
            pattern = path.relative_to(path.anchor).as_posix()
            files = sorted(each for each in Path(path.anchor).glob(pattern) if each.is_file())
        if not files:
            raise DataError(
                t("There are no documents at {path}.", path=path),
                t("Give a file, a folder or a pattern; these are read: {known}.", known=", ".join(sorted(SUFFIXES))),
            )
        found |= dict.fromkeys(file.resolve() for file in files)
    return list(found)


def plain(text: str) -> str:
    """The text without control characters, with one kind of line break, in Unicode form NFC."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = CONTROL.sub("", SURROGATE.sub("\ufffd", text))
    return unicodedata.normalize("NFC", text).strip()


def too_large(path: Path) -> TuneloopError:
    """The error of a file that is, or unpacks to, more than a document for people holds."""
    return DataError(
        t("{file}: it is too large, or unpacks to too much.", file=path.name),
        t("Files have at most {mib} MiB and {characters} characters; split it.", mib=MAX_FILE_BYTES >> 20,
          characters=f"{MAX_CHARACTERS:,}"),
    )  # fmt: skip


def damaged(path: Path, error: Exception) -> TuneloopError:
    """The error of a file that its reader cannot make sense of."""
    reason = str(error).split("\n")[0][:200] or type(error).__name__
    return DataError(
        t("{file}: it is damaged: {reason}", file=path.name, reason=reason), t("Open it and save it again.")
    )


def _documents_below(folder: Path) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        raise DataError(
            t("{path} cannot be read: {error}", path=error.filename, error=error.strerror or error),
            t("Change its permissions, or name what is to be read."),
        )

    for root, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(root, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES and path.is_file():
                yield path
