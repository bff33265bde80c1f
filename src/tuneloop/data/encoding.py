"""Bytes of a file as text: the encoding is told apart, never guessed row by row."""

from __future__ import annotations

import codecs
from pathlib import Path

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
WESTERN = frozenset("àâäãáåæçèéêëìíîïñòóôöõøœùúûüýÿßÀÂÄÃÁÅÆÇÈÉÊËÍÎÏÑÓÔÖÕØŒÙÚÛÜ€£§°«»‘’“”„–—…•·´¿¡ºª®©™½\xa0")


def decode(data: bytes, *, path: Path, encoding: str = "auto") -> tuple[str, str]:
    """The text of a file, and the name of its encoding.

    Tried in turn: a byte order mark, UTF-16 by its zero bytes, UTF-8, GB18030 where it reads as
    common Chinese, Windows-1252 where it reads as Western European, then charset-normalizer.

    Raises:
        DataError: if the encoding is unknown, does not fit (with the line), or is mixed.
    """
    name = _detect(data, path) if encoding == "auto" else _known(encoding)
    try:
        text = data.decode(name)
    except UnicodeError as error:
        line = data.count(b"\n", 0, getattr(error, "start", 0)) + 1
        raise DataError(
            t("{file}, line {line}: the bytes are not {encoding}.", file=path.name, line=line, encoding=name),
            t("Save the whole file as UTF-8, or name its encoding in data.encoding."),
        ) from None
    return text.removeprefix("\ufeff"), name.removesuffix("-sig")


def refuse_nul(text: str, *, path: Path) -> None:
    """Nothing, if no character is NUL.

    Raises:
        DataError: with the line of the first.
    """
    place = text.find("\0")
    if place >= 0:
        raise DataError(
            t("{file}, line {line}: there is a NUL byte.", file=path.name, line=text.count("\n", 0, place) + 1),
            t("The file is damaged or not a text file; write it again as UTF-8 text."),
        )


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise DataError(
            t("data.encoding: there is no encoding called {name!r}.", name=encoding),
            t("Use auto, or a name such as utf-8, gb18030 or cp1252."),
        ) from None


def _detect(data: bytes, path: Path) -> str:
    for mark, name in BOMS:
        if data.startswith(mark):
            return name
    wide = _utf16(data[:4096])
    if wide:
        return wide
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _legacy(data, path, first_bad=error.start)
    return "utf-8"


def _utf16(head: bytes) -> str | None:
    """UTF-16 without a mark shows zero bytes on one side only, at least where it holds ASCII."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > len(head) / 8 and not even:
        return "utf-16-le"
    if even > len(head) / 8 and not odd:
        return "utf-16-be"
    return None


def _legacy(data: bytes, path: Path, *, first_bad: int) -> str:
    beyond = [line for line in data.split(b"\n") if not line.isascii()]
    valid = sum(map(_is_utf8, beyond))
    if valid > MIXED_SHARE * len(beyond):
        raise DataError(
            t(
                "{file}, line {line}: the encoding is mixed; this line is not UTF-8, but others are.",
                file=path.name,
                line=data.count(b"\n", 0, first_bad) + 1,
            ),
            t("Save the whole file in one encoding, best UTF-8."),
        )
    sample = b"\n".join(beyond)[:SAMPLE_BYTES]
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
