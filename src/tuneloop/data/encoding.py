"""Bytes of a file as text: the encoding is told apart, never guessed row by row."""

from __future__ import annotations

import codecs
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MIXED_SHARE = 0.1
"""If this share of the lines beyond ASCII is valid UTF-8, the file is UTF-8 with damaged lines:
text in another encoding is valid UTF-8 by accident only."""
SAMPLE_BYTES = 200_000
PIECE_BYTES = 1 << 20
"""So much of a file is in memory at once, and the rest of a line."""

LINE = re.compile("[^\n]*\n|[^\n]+")
"""A line with its end; split() would hold the whole text once more."""

ANY_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
"""The same where a carriage return ends a line too."""

Pieces = Callable[[], Iterator[bytes]]
"""Gives the bytes of a file from its beginning."""
WESTERN = frozenset("àâäãáåæçèéêëìíîïñòóôöõøœùúûüýÿßÀÂÄÃÁÅÆÇÈÉÊËÍÎÏÑÓÔÖÕØŒÙÚÛÜ€£§°«»‘’“”„–—…•·´¿¡ºª®©™½\xa0")


def decode(data: bytes, *, path: Path, encoding: str = "auto") -> tuple[str, str]:
    """The text of a file, and the name of its encoding.

    Tried in turn: a byte order mark, UTF-16 by its zero bytes, UTF-8, GB18030 where it reads as
    common Chinese, Windows-1252 where it reads as Western European, then charset-normalizer.

    Raises:
        DataError: if the encoding is unknown, does not fit (with the line), or is mixed.
    """

    def pieces() -> Iterator[bytes]:
        yield data

    name = _name(pieces, path, encoding)
    # one piece is not copied
    return "".join([text for text, _ in _texts(pieces, name, path) if text]), name.removesuffix("-sig")


def read_lines(path: Path, *, encoding: str = "auto", ends: re.Pattern[str] = LINE) -> tuple[Iterator[str], str]:
    """The lines of a file, each with its end, and the name of its encoding; never is the whole file in memory.

    The file is read twice, to tell its encoding first; a pipe is copied for that.

    Args:
        ends: `LINE`, or `ANY_LINE` where a carriage return ends a line too.

    Raises:
        DataError: as `decode` would, or where there is a NUL byte; some of it only once that line is reached.
    """
    file = _from_the_beginning(path)

    def pieces() -> Iterator[bytes]:
        file.seek(0)
        while piece := file.read(PIECE_BYTES):
            yield piece + file.readline()

    try:
        name = _name(pieces, path, encoding)
    except BaseException:
        file.close()
        raise
    return _lines(file, pieces, name, path, ends), name.removesuffix("-sig")


def _lines(file: BinaryIO, pieces: Pieces, name: str, path: Path, ends: re.Pattern[str]) -> Iterator[str]:
    begun = ""
    with file:
        for text, line in _texts(pieces, name, path):
            refuse_nul(text, path=path, line=line)
            found = ends.findall(begun + text)
            # a piece of wide characters may end anywhere
            begun = found.pop() if found and not found[-1].endswith("\n") else ""
            yield from found
    yield from ends.findall(begun)


def _from_the_beginning(path: Path) -> BinaryIO:
    if path.is_file():
        return path.open("rb")
    copy = TemporaryFile()  # noqa: SIM115  # closed by who reads it
    try:
        with path.open("rb") as file:
            shutil.copyfileobj(file, copy)
    except BaseException:
        copy.close()
        raise
    return copy


def _texts(pieces: Pieces, name: str, path: Path) -> Iterator[tuple[str, int]]:
    """The text of each piece, without a mark at the beginning, and the line on which it begins."""
    try:
        for number, (text, line) in enumerate(_decoded(pieces, name)):
            yield (text if number else text.removeprefix("\ufeff")), line
    except _UndecodableError as error:
        raise DataError(
            t("{file}, line {line}: the bytes are not {encoding}.", file=path.name, line=error.line, encoding=name),
            t("Save the whole file as UTF-8, or name its encoding in data.encoding."),
        ) from None


class _UndecodableError(ValueError):
    """Bytes that are not of the encoding; says on which line."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def _decoded(pieces: Pieces, name: str) -> Iterator[tuple[str, int]]:
    decoder, line = codecs.getincrementaldecoder(name)(), 1
    for piece, last in chain(((piece, False) for piece in pieces()), [(b"", True)]):
        try:
            text = decoder.decode(piece, last)
        except UnicodeError as error:
            data, start = getattr(error, "object", b""), getattr(error, "start", 0)
            raise _UndecodableError(line + data[:start].decode(name, "ignore").count("\n")) from None
        yield text, line
        line += text.count("\n")


def refuse_nul(text: str, *, path: Path, line: int = 1) -> None:
    """Nothing, if no character is NUL.

    Args:
        line: on which the text begins.

    Raises:
        DataError: with the line of the first.
    """
    place = text.find("\0")
    if place >= 0:
        raise DataError(
            t("{file}, line {line}: there is a NUL byte.", file=path.name, line=text.count("\n", 0, place) + line),
            t("The file is damaged or not a text file; write it again as UTF-8 text."),
        )


def _name(pieces: Pieces, path: Path, encoding: str) -> str:
    """The encoding's name; the order of bytes is part of it where nothing in the file says it."""
    if encoding == "auto":
        return _detect(pieces, path)
    name, head = _known(encoding), next(pieces(), b"")
    if name in ("utf-16", "utf-32") and not any(head.startswith(mark) for mark, known in BOMS if known == name):
        found = _utf16(head[:4096]) if name == "utf-16" else None
        return found or f"{name}-{'le' if sys.byteorder == 'little' else 'be'}"
    return name


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise DataError(
            t("data.encoding: there is no encoding called {name!r}.", name=encoding),
            t("Use auto, or a name such as utf-8, gb18030 or cp1252."),
        ) from None


def _detect(pieces: Pieces, path: Path) -> str:
    head = next(pieces(), b"")
    for mark, name in BOMS:
        if head.startswith(mark):
            return name
    wide = _utf16(head[:4096])
    if wide:
        return wide
    try:
        for _ in _decoded(pieces, "utf-8"):
            pass
    except _UndecodableError as error:
        return _legacy(pieces, path, first_bad=error.line)
    return "utf-8"


def _utf16(head: bytes) -> str | None:
    """UTF-16 without a mark shows zero bytes on one side only, at least where it holds ASCII."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > len(head) / 8 and not even:
        return "utf-16-le"
    if even > len(head) / 8 and not odd:
        return "utf-16-be"
    return None


def _legacy(pieces: Pieces, path: Path, *, first_bad: int) -> str:
    beyond = valid = size = 0
    kept = []
    for line in (line for piece in pieces() for line in piece.split(b"\n") if not line.isascii()):
        beyond += 1
        valid += _is_utf8(line)
        if size < SAMPLE_BYTES:
            kept.append(line)
            size += len(line) + 1
    if valid > MIXED_SHARE * beyond:
        raise DataError(
            t(
                "{file}, line {line}: the encoding is mixed; this line is not UTF-8, but others are.",
                file=path.name,
                line=first_bad,
            ),
            t("Save the whole file in one encoding, best UTF-8."),
        )
    sample = b"\n".join(kept)[:SAMPLE_BYTES]
    if _reads_as_chinese(sample):
        return "gb18030"
    if _reads_as_western(sample):
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    if best is None:
        raise DataError(
            t("{file}: the encoding cannot be told.", file=path.name),
            t("Save the whole file as UTF-8, or name its encoding in data.encoding."),
        )
    return best.encoding


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _reads_as_chinese(sample: bytes) -> bool:
    """Whether most of what is beyond ASCII is common Chinese in GB18030 (GB 2312 has 6,763 characters)."""
    text = sample.decode("gb18030", "ignore")
    beyond = [character for character in text if not character.isascii()]
    common = sum(1 for character in beyond if _in_gb2312(character))
    return len(text) > 0 and common > 0.9 * max(len(beyond), 1) and _clean_in(sample, "gb18030")


def _in_gb2312(character: str) -> bool:
    try:
        lead = character.encode("gb2312")[0]
    except UnicodeEncodeError:
        return False
    return lead <= 0xA3 or 0xB0 <= lead <= 0xD7  # punctuation and wide forms, or the 3,755 commonest


def _reads_as_western(sample: bytes) -> bool:
    """Whether the letters beyond ASCII are common in Western Europe and stand among ASCII letters."""
    text = sample.decode("cp1252", "replace")
    beyond = [place for place, character in enumerate(text) if not character.isascii()]
    letters = [place for place in beyond if text[place].isalpha()]
    among = sum(1 for place in letters if any(c.isascii() and c.isalpha() for c in text[max(place - 1, 0) : place + 2]))
    common = sum(1 for place in beyond if text[place] in WESTERN)
    return common > 0.95 * len(beyond) and among > 0.8 * len(letters)


def _clean_in(sample: bytes, encoding: str) -> bool:
    # the sample may end inside a character
    return "\ufffd" not in codecs.getincrementaldecoder(encoding)("replace").decode(sample)
