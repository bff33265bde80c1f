"""PDF: the text of each page."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from tuneloop.core.errors import DataError, MissingExtraError, TuneloopError
from tuneloop.core.i18n import t
from tuneloop.data.units import HAN
from tuneloop.knowledge.documents import MAX_CHARACTERS, Part, damaged, too_large

MAX_PAGES = 5000
BROKEN_WORD = re.compile(r"(?<=[a-z])-\n(?=[a-z])")
BROKEN_CHINESE = re.compile(rf"(?<=[{HAN}，、；：])\n(?=[{HAN}])")


def read_pdf(path: Path) -> list[Part]:
    """A part for each page; words and Chinese lines that were broken at the end of a line are joined.

    Raises:
        DataError: if it is encrypted or damaged, or is made of pictures alone.
        MissingExtraError: if pypdf is not installed.
    """
    try:
        import pypdf
    except ImportError:
        raise MissingExtraError("pypdf", "knowledge") from None
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it tells of every small fault that it has mended
    try:
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise DataError(
                t("{file}: it is encrypted.", file=path.name), t("Save it without a password, then add it again.")
            )
        if len(reader.pages) > MAX_PAGES:
            raise too_large(path)
        pages = _pages(reader, path)
    except (TuneloopError, OSError):
        raise
    except Exception as error:  # a damaged file makes pypdf raise many kinds, RecursionError among them
        raise damaged(path, error) from error
    if not any(page.strip() for page in pages):
        raise DataError(
            t("{file}: its pages are pictures without text.", file=path.name),
            t("Let a text recognition (OCR) program make its text, then add it again."),
        )
    return [Part(_joined(text), page=number) for number, text in enumerate(pages, 1)]


def _pages(reader: pypdf.PdfReader, path: Path) -> list[str]:  # type: ignore[name-defined]  # noqa: F821
    pages: list[str] = []
    size = 0
    for page in reader.pages:
        pages.append(page.extract_text())
        size += len(pages[-1])
        if size > MAX_CHARACTERS:
            raise too_large(path)
    return pages


def _joined(text: str) -> str:
    return BROKEN_CHINESE.sub("", BROKEN_WORD.sub("", text))
