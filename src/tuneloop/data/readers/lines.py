"""Plain text, one text per line: a file, a folder with a file for each class, standard input as it comes."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.encoding import read_lines
from tuneloop.data.mapped import Column
from tuneloop.data.readers.table import Table


def read_txt(path: Path, *, encoding: str = "auto", split: str = "train") -> Table:
    """The lines of a file as the column `text`, blank ones left out.

    A folder is its *.txt files, one after the other; each row has its file's name as `label`.

    Raises:
        DataError: if a file's bytes are no text.
    """
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    texts, labels, lines, name = Column(), Column(), array("q"), ""
    for file in files:
        found, name = read_lines(file, encoding=encoding)
        for number, line in enumerate(found, start=1):
            if line.strip():
                texts.append(line.removesuffix("\n").removesuffix("\r"))
                if path.is_dir():
                    labels.append(file.stem)
                lines.append(number)
    columns = {"text": texts.values()} | ({"label": labels.values()} if path.is_dir() else {})
    return Table(path, columns, range(1, len(texts) + 1) if path.is_dir() else lines, lines, name)


def text_lines(stream: BinaryIO, *, max_chars: int) -> Iterator[str]:
    """The lines of a stream without their line breaks, each as soon as it is there; blank ones too.

    Raises:
        DataError: if a line is not UTF-8 or is longer than `max_chars`; no more than that is read.
    """
    number = 0
    while line := stream.readline(4 * max_chars + 2):
        number += 1
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise DataError(
                t("Line {line} of the input is not UTF-8.", line=number),
                t("Convert it first, for example with: iconv -f gb18030 -t utf-8"),
            ) from None
        if len(text) > max_chars:
            raise DataError(
                t("Line {line} of the input has more than {limit} characters.", line=number, limit=f"{max_chars:,}"),
                t("Shorten it, or raise data.max_text_chars."),
            )
        yield text
