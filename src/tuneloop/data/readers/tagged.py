"""Files of words with tags: one word per line as in CoNLL, or one text per line as word/tag word/tag."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.encoding import decode, refuse_nul
from tuneloop.data.readers.table import Table, place

DOCUMENT = "-DOCSTART-"
"""First word of the line that begins a document in CoNLL-2003."""

COMMENT = ["#", "id"]
"""How the line above a text begins in MultiCoNER."""

Sentence = tuple[int, list[str], list[str]]
"""The line it begins at, its words, their tags."""


def read_conll(path: Path, *, encoding: str = "auto", split: str = "train") -> Table:
    """A text for each run of lines: its first column is the word, its last one the tag; a blank line ends a text.

    Raises:
        DataError: with the line that has no tag.
    """
    text, name = decode(path.read_bytes(), path=path, encoding=encoding)
    return _table(path, text, name, _conll(text, path))


def read_slashed(path: Path, *, encoding: str = "auto", split: str = "train") -> Table:
    """A text for each line of words with their tags behind a slash, as in the corpus of the People's Daily.

    Raises:
        DataError: with the line and the word that has no tag.
    """
    text, name = decode(path.read_bytes(), path=path, encoding=encoding)
    return _table(path, text, name, _slashed(text, path))


def _table(path: Path, text: str, encoding: str, found: Iterator[Sentence]) -> Table:
    refuse_nul(text, path=path)
    columns: dict[str, list[list[str]]] = {"text": [], "label": []}
    rows, lines = array("q"), array("q")
    for number, (line, words, tags) in enumerate(found, 1):
        columns["text"].append(words)
        columns["label"].append(tags)
        rows.append(number)
        lines.append(line)
    return Table(path, columns, rows, lines, encoding)


def _conll(text: str, path: Path) -> Iterator[Sentence]:
    words: list[str] = []
    tags: list[str] = []
    start = 0
    for number, line in enumerate([*text.split("\n"), ""], 1):
        cells = line.split()
        if not cells or cells[0] == DOCUMENT or cells[:2] == COMMENT:
            if words:
                yield start, words, tags
            start, words, tags = 0, [], []
            continue
        if len(cells) < 2:
            raise DataError(
                t("{place}: {value!r} has no tag.", place=place(path, number), value=line.strip()[:60]),
                t("Each line must be a word and its tag, with spaces or a tab between; a blank line ends a text."),
            )
        start = start or number
        words.append(cells[0])
        tags.append(cells[-1])
    return


def _slashed(text: str, path: Path) -> Iterator[Sentence]:
    for number, line in enumerate(text.split("\n"), 1):
        words: list[str] = []
        tags: list[str] = []
        for item in line.split():
            word, slash, tag = item.rpartition("/")
            if not slash or not word or not tag:
                raise DataError(
                    t("{place}: {value!r} has no tag.", place=place(path, number), value=item[:60]),
                    t("Write each word as word/tag, with spaces between."),
                )
            words.append(word)
            tags.append(tag)
        if words:
            yield number, words, tags
