"""The one SQLite file of an index: documents, chunks, their words and their vectors, always in step.

Each document comes and goes in one transaction, so that whatever kills the process leaves whole documents only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from math import log
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tuneloop.core.database import database_errors, transaction
from tuneloop.core.errors import DataError, TuneloopError
from tuneloop.core.i18n import t
from tuneloop.knowledge.chunks import Chunk
from tuneloop.knowledge.vectors import BytesArray, FloatArray, Packed

FILE = "index.sqlite"
VERSION = 1
WAIT_S = 30.0
K1 = 1.2
"""Of BM25, as FTS5 has it."""

SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, hash TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL,
    added TEXT NOT NULL);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents (id), section TEXT NOT NULL,
    page INTEGER, first INTEGER NOT NULL, last INTEGER NOT NULL, text TEXT NOT NULL, scale REAL, vector BLOB);
CREATE INDEX chunks_of_document ON chunks (document);
CREATE VIRTUAL TABLE terms USING fts5 (words, tokenize = "unicode61 remove_diacritics 0");
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (terms, row);
"""


class Entry(NamedTuple):
    """A document of the index."""

    name: str
    title: str
    hash: str
    chunks: int
    characters: int
    added: str


class Passage(NamedTuple):
    """A chunk with its text: characters `start` to `end` of the text of `document`."""

    id: int
    document: str
    title: str
    section: str
    page: int | None
    start: int
    end: int
    text: str


class Indexed(NamedTuple):
    """What is kept of a chunk: where it stands, its words, and its vector if the index has vectors."""

    chunk: Chunk
    words: Sequence[str]
    vector: BytesArray | None
    scale: float | None


class Store:
    """The file of an index in `folder`.

    Args:
        create: settings of a new index, if there is none yet.
        read_only: nothing is ever written, not even a lock.

    Raises:
        DataError: if there is no index, or it is damaged or of a later version.
    """

    def __init__(self, folder: Path, *, create: Mapping[str, str] | None = None, read_only: bool = False) -> None:
        self.path = folder / FILE
        if not self.path.is_file() and (create is None or read_only):
            raise DataError(
                t("There is no index in {folder}.", folder=folder), t("Make one with: tuneloop knowledge add FOLDER")
            )
        mode = "ro" if read_only else "rwc"
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        with self._errors():
            # what is only read may be read from any thread, by one at a time
            self._database = sqlite3.connect(
                uri, uri=True, timeout=WAIT_S, isolation_level=None, check_same_thread=not read_only
            )
        try:
            with self._errors():
                self._prepare(create)
        except BaseException:
            self.close()
            raise

    def _prepare(self, create: Mapping[str, str] | None) -> None:
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version == 0 and create is not None:
            with transaction(self._database):
                (version,) = self._database.execute("PRAGMA user_version").fetchone()  # another may have been faster
                if version == 0:
                    for statement in filter(str.strip, SCHEMA.split(";")):
                        self._database.execute(statement)
                    self._database.executemany("INSERT INTO settings VALUES (?, ?)", create.items())
                    self._database.execute(f"PRAGMA user_version = {VERSION}")
                    version = VERSION
        if version != VERSION:
            raise DataError(
                t("{path} is no index that this version reads.", path=self.path),
                t("Update tuneloop, or remove the folder and add the documents again."),
            )
        self.settings: dict[str, str] = dict(self._database.execute("SELECT name, value FROM settings"))

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def version(self) -> tuple[int, int]:
        """Changes whenever the content may have changed, by this process or another."""
        with self._errors():
            (others,) = self._database.execute("PRAGMA data_version").fetchone()
        return others, self._database.total_changes

    def put(self, name: str, *, hash: str, title: str, text: str, chunks: Sequence[Indexed]) -> None:
        """A document in the place of the one of this name, or new; all of it or nothing."""
        with self._errors(), transaction(self._database) as run:
            self._delete(name)
            now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
            document = run(
                "INSERT INTO documents (name, hash, title, text, added) VALUES (?, ?, ?, ?, ?)",
                (name, hash, title, text, now),
            ).lastrowid
            for (start, end, section, page), words, vector, scale in chunks:
                chunk = run(
                    "INSERT INTO chunks (document, section, page, first, last, text, scale, vector) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    # the text again: to cut it out of a long document would read all of that
                    (
                        document,
                        section,
                        page,
                        start,
                        end,
                        text[start:end],
                        scale,
                        None if vector is None else vector.tobytes(),
                    ),
                ).lastrowid
                run("INSERT INTO terms (rowid, words) VALUES (?, ?)", (chunk, " ".join(words)))

    def delete(self, names: Sequence[str]) -> None:
        """Remove documents with all that is kept of them, in one step; the space is used again."""
        with self._errors(), transaction(self._database):
            for name in names:
                self._delete(name)

    def _delete(self, name: str) -> None:
        run = self._database.execute
        chunks = "SELECT chunks.id FROM chunks JOIN documents ON documents.id = document WHERE name = ?"
        run(f"DELETE FROM terms WHERE rowid IN ({chunks})", (name,))
        run(f"DELETE FROM chunks WHERE id IN ({chunks})", (name,))
        run("DELETE FROM documents WHERE name = ?", (name,))

    def documents(self) -> list[Entry]:
        """Every document, by name."""
        with self._errors():
            rows = self._database.execute(
                "SELECT name, title, hash, (SELECT count(*) FROM chunks WHERE document = documents.id), length(text), "
                "added FROM documents ORDER BY name"
            ).fetchall()
        return [Entry(*row) for row in rows]

    def text(self, name: str) -> str:
        """The whole text of a document.

        Raises:
            DataError: if there is none of this name.
        """
        with self._errors():
            row = self._database.execute("SELECT text FROM documents WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise DataError(t("The index has no document {name}.", name=name), t("See: tuneloop knowledge list"))
        return str(row[0])

    def passages(self, ids: Sequence[int]) -> dict[int, Passage]:
        """Chunks by their ids, with their texts; what was removed meanwhile is not there."""
        marks = ", ".join("?" * len(ids))
        with self._errors():
            rows = self._database.execute(
                "SELECT chunks.id, name, title, section, page, first, last, chunks.text "
                f"FROM chunks JOIN documents ON documents.id = document WHERE chunks.id IN ({marks})",
                list(ids),
            ).fetchall()
        return {row[0]: Passage(*row) for row in rows}

    def bm25(self, words: Sequence[str], *, limit: int) -> list[tuple[int, float]]:
        """The chunks with most to do with these words, the best first, and their scores, above 0.

        BM25 (Robertson and Zaragoza, 2009) with k1 = 1.2 and b = 0.75, as FTS5 computes it.
        """
        if not words:
            return []
        query = " OR ".join(f'"{word}"' for word in words)
        with self._errors():
            rows = self._database.execute(
                "SELECT rowid, -rank FROM terms WHERE terms MATCH ? ORDER BY rank, rowid LIMIT ?", (query, limit)
            ).fetchall()
        return [(int(number), float(score)) for number, score in rows]

    def most_bm25(self, words: Sequence[str]) -> float:
        """BM25 of these words that no chunk can exceed: all of them in it, without end."""
        count = self.count()
        found = self.frequencies(words).values()
        return (K1 + 1) * sum(max(1e-6, log((count - number + 0.5) / (number + 0.5))) for number in found)

    def frequencies(self, words: Sequence[str]) -> dict[str, int]:
        """In how many chunks each word stands."""
        with self._errors():
            rows = [
                self._database.execute("SELECT doc FROM vocabulary WHERE term = ?", (word,)).fetchone()
                for word in words
            ]
        return {word: int(row[0]) if row else 0 for word, row in zip(words, rows, strict=True)}

    def count(self) -> int:
        """How many chunks there are."""
        with self._errors():
            return int(self._database.execute("SELECT count(*) FROM chunks").fetchone()[0])

    def vectors(self, width: int) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Packed]:
        """The ids of all chunks, (n,), and their vectors, (n, width), in the same order."""
        with self._errors():
            rows = self._database.execute("SELECT id, scale, vector FROM chunks ORDER BY id").fetchall()
        if any(row[2] is None or len(row[2]) != width for row in rows):
            raise self._damaged("vector")
        ids = np.array([row[0] for row in rows], np.int64)
        scales: FloatArray = np.array([row[1] for row in rows], np.float32)
        values = np.frombuffer(b"".join(row[2] for row in rows), np.int8).reshape(len(rows), width)
        return ids, Packed(values, scales)

    def copy(self, path: Path) -> None:
        """A copy of the file as it is now, without unused space."""
        with self._errors():
            self._database.execute("VACUUM INTO ?", (str(path),))

    def _errors(self) -> AbstractContextManager[None]:
        hint = t("Look at the disk's space and permissions; nothing that was saved before has been changed.")
        return database_errors(self.path, hint, self._damaged)

    def _damaged(self, reason: str) -> TuneloopError:
        return DataError(
            t("{path} is damaged: {reason}.", path=self.path, reason=reason),
            t("Remove its folder and add the documents again."),
        )
