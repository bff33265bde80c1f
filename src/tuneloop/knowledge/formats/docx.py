"""Word documents: paragraphs and tables, under their headings."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from tuneloop.core.errors import MissingExtraError, TuneloopError
from tuneloop.knowledge.documents import Part, damaged, too_large
from tuneloop.knowledge.formats.markdown import section_path

MAX_UNPACKED_BYTES = 256 << 20
MAX_XML_BYTES = 64 << 20
"""Of the text alone; pictures are not unpacked."""

HEADING = re.compile(r"(?:Heading|heading|标题) ?([1-9])$")


def read_docx(path: Path) -> list[Part]:
    """A part for each heading; a row of a table is a line.

    Raises:
        DataError: if it is damaged, or unpacks to too much.
        MissingExtraError: if python-docx is not installed.
    """
    try:
        from docx import Document as open_docx
        from docx.table import Table, _Cell
    except ImportError:
        raise MissingExtraError("python-docx", "knowledge") from None
    above: list[tuple[int, str]] = []
    parts: list[tuple[str, list[str]]] = [("", [])]
    try:
        _refuse_bomb(path)
        for block in open_docx(str(path)).iter_inner_content():
            if isinstance(block, Table):
                # each cell once: python-docx gives one that spans columns as often as it says, which may be millions
                cells = [[_Cell(cell, block).text.strip() for cell in row._tr.tc_lst] for row in block.rows]
                parts[-1][1].append("\n".join(map(" | ".join, cells)))
                continue
            level = _level(block.style.name if block.style is not None else "")
            if level and block.text.strip():
                above = [each for each in above if each[0] < level] + [(level, " ".join(block.text.split()))]
                parts.append((section_path(above), []))
            elif not level:
                parts[-1][1].append(block.text)
    except (TuneloopError, OSError):
        raise
    except Exception as error:  # a damaged file makes zipfile, lxml and python-docx raise many kinds
        raise damaged(path, error) from error
    return [Part("\n\n".join(filter(str.strip, texts)), section) for section, texts in parts]


def _level(style: str | None) -> int:
    """The level of a heading; 0 for other paragraphs."""
    found = HEADING.match(style or "")
    return 1 if style == "Title" else int(found[1]) + 1 if found else 0


def _refuse_bomb(path: Path) -> None:
    """Nothing, if what the archive says it unpacks to is bearable; zipfile never unpacks more than that."""
    with zipfile.ZipFile(path) as archive:
        files = archive.infolist()
    xml = sum(each.file_size for each in files if each.filename.endswith((".xml", ".rels")))
    if xml > MAX_XML_BYTES or sum(each.file_size for each in files) > MAX_UNPACKED_BYTES:
        raise too_large(path)
