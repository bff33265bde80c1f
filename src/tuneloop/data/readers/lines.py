"""Plain text as it comes, one text per line: for standard input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t


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
