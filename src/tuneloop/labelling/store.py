"""The one SQLite file of a labelling project: what was suggested, and every answer that people gave.

Answers are only ever added. Undoing one is a new line that names it; of what is left the last line of each person
counts. A line is acknowledged when it is on the disk (write-ahead log, synchronous FULL).
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from tuneloop.core.database import database_errors, transaction
from tuneloop.core.errors import DataError
from tuneloop.core.fsio import new_file
from tuneloop.core.hashing import hash_texts
from tuneloop.core.i18n import t
from tuneloop.core.lock import locked

FILE = "labels.sqlite"
VERSION = 1
WAIT_S = 30.0
ID_DIGITS = 32
HELD_S = 86_400.0
"""How long a text that was handed to somebody is kept from others, where they do not answer."""

SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE items (
    place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text TEXT NOT NULL, pair TEXT, why TEXT NOT NULL,
    strategy TEXT NOT NULL, score REAL, guess TEXT, suggested REAL);
CREATE TABLE handed (item TEXT NOT NULL, annotator TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (item, annotator));
CREATE TABLE answers (
    number INTEGER PRIMARY KEY AUTOINCREMENT, item TEXT NOT NULL REFERENCES items (id), annotator TEXT NOT NULL,
    label TEXT, skipped INTEGER NOT NULL, at REAL NOT NULL, seconds REAL,
    undoes INTEGER UNIQUE REFERENCES answers (number));
CREATE VIEW current AS SELECT * FROM answers WHERE number IN (
    SELECT max(number) FROM answers WHERE undoes IS NULL
    AND number NOT IN (SELECT undoes FROM answers WHERE undoes IS NOT NULL) GROUP BY item, annotator);
"""


class Item(NamedTuple):
    """A text to label, or one that was labelled.

    Args:
        id: hash of text and pair.
        why: why it is here: "suggested" or "imported".
        strategy: what suggested it.
        score: how much that strategy wants it.
        guess: what the model would answer.
        suggested: when, in seconds since 1970, UTC; None for what came with its answer.
    """

    id: str
    text: str
    pair: str | None = None
    why: str = "imported"
    strategy: str = ""
    score: float | None = None
    guess: str | None = None
    suggested: float | None = None


class Answer(NamedTuple):
    """What one person said of one text.

    Args:
        number: of the line; 0 before it is kept.
        label: as JSON has it: a class, a list of classes, a number, a list of stretches; None if skipped.
        at: seconds since 1970, UTC.
        seconds: how long the person looked at it, where that is known.
    """

    number: int
    item: str
    annotator: str
    label: Any
    skipped: bool
    at: float
    seconds: float | None = None


def item_id(text: str, pair: str | None = None) -> str:
    """The name of a text, or of two: equal texts have equal names everywhere."""
    return hash_texts([text] if pair is None else [text, pair])[:ID_DIGITS]


class LabelStore:
    """The file in `folder`; any number of processes and threads may use it at once.

    Args:
        create: the task whose labels are kept, where there is no file yet.

    Raises:
        DataError: if there is no file, it is damaged or of a later version, or it is of another task.
    """

    def __init__(self, folder: Path, *, create: str = "") -> None:
        self.path = folder / FILE
        if create and not self.path.exists():
            self._create(folder, create)
        if not self.path.is_file():
            raise DataError(
                t("There are no labels in {folder}.", folder=folder),
                t("Begin with: tuneloop label next, or tuneloop label import FILE"),
            )
        self._lock = threading.RLock()
        with self._errors():
            self._database = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=rw", uri=True, timeout=WAIT_S, isolation_level=None,
                check_same_thread=False,
            )  # fmt: skip
        try:
            with self._errors():
                self._check(create)
        except BaseException:
            self.close()
            raise

    def _create(self, folder: Path, task: str) -> None:
        """A file appears whole or not at all, so that an empty one is always a damaged one."""
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            if self.path.exists():
                return
            with new_file(self.path) as temporary:
                database = sqlite3.connect(temporary, isolation_level=None)
                database.execute("PRAGMA journal_mode = WAL")
                database.executescript(SCHEMA)
                database.execute("INSERT INTO settings VALUES ('task', ?), ('names', '[]')", (task,))
                database.execute(f"PRAGMA user_version = {VERSION}")
                database.close()

    def _check(self, task: str) -> None:
        run = self._database.execute
        run("PRAGMA synchronous = FULL")
        (found,) = run("PRAGMA quick_check(1)").fetchone()
        (version,) = run("PRAGMA user_version").fetchone()
        if found != "ok" or version == 0:
            raise self._damaged(str(found) if version else t("it is empty"))
        if version != VERSION:
            raise DataError(
                t("{path} is of another version of tuneloop.", path=self.path), t("Update tuneloop, then try again.")
            )
        self.task: str = run("SELECT value FROM settings WHERE name = 'task'").fetchone()[0]
        if task and task != self.task:
            raise DataError(
                t("{path} holds labels for the task {kept}, not {asked}.", path=self.path, kept=self.task, asked=task),
                t("Give the labels of another task another name with --project."),
            )

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def names(self) -> list[str]:
        """The classes that may be given, in the order of their keys; empty while none are known."""
        with self._lock, self._errors():
            (names,) = self._database.execute("SELECT value FROM settings WHERE name = 'names'").fetchone()
        return list(json.loads(names))

    def add_names(self, names: Iterable[str]) -> list[str]:
        """Classes that may be given from now on, behind the others; all of them."""
        with self._transaction():
            return self._add_names(names)

    def _add_names(self, names: Iterable[str]) -> list[str]:
        known = self.names
        together = list(dict.fromkeys([*known, *names]))
        if together != known:
            self._database.execute(
                "UPDATE settings SET value = ? WHERE name = 'names'", (json.dumps(together, ensure_ascii=False),)
            )
        return together

    def keep(self, items: Sequence[Item], answers: Sequence[Answer] = (), *, names: Iterable[str] = ()) -> list[int]:
        """Keep texts, answers and new classes in one step, all or none; the numbers of the answers.

        Of a text that is there already the suggestion is renewed, if there is a new one.
        """
        with self._transaction() as run:
            self._add_names(names)
            for item in items:
                run(
                    "INSERT INTO items (id, text, pair, why, strategy, score, guess, suggested) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET why = excluded.why, "
                    "strategy = excluded.strategy, score = excluded.score, guess = excluded.guess, "
                    "suggested = excluded.suggested WHERE excluded.suggested IS NOT NULL",
                    item,
                )
            return [self._add(each) for each in answers]

    def answer(
        self, item: str, annotator: str, label: Any, *, seconds: float | None = None, skipped: bool = False
    ) -> int:
        """Keep an answer; when this returns, it is on the disk. The number of its line.

        Raises:
            StorageError: if the disk refuses; nothing is then kept.
        """
        with self._transaction():
            return self._add(Answer(0, item, annotator, label, skipped, time.time(), seconds))

    def _add(self, answer: Answer) -> int:
        label = None if answer.skipped else json.dumps(answer.label, ensure_ascii=False, allow_nan=False)
        added = self._database.execute(
            "INSERT INTO answers (item, annotator, label, skipped, at, seconds) VALUES (?, ?, ?, ?, ?, ?)",
            (answer.item, answer.annotator, label, answer.skipped, answer.at, answer.seconds),
        ).lastrowid
        assert added is not None
        return added

    def undo(self, annotator: str) -> Answer | None:
        """Take back the last answer of this person that was not taken back yet; None if there is none.

        What they had said of that text before counts again.
        """
        with self._transaction() as run:
            row = run(
                "SELECT number, item, annotator, label, skipped, at, seconds FROM answers WHERE annotator = ? "
                "AND undoes IS NULL AND number NOT IN (SELECT undoes FROM answers WHERE undoes IS NOT NULL) "
                "ORDER BY number DESC LIMIT 1",
                (annotator,),
            ).fetchone()
            if row is None:
                return None
            run(
                "INSERT INTO answers (item, annotator, skipped, at, undoes) VALUES (?, ?, 0, ?, ?)",
                (row[1], annotator, time.time(), row[0]),
            )
        return _answer(row)

    def items(self) -> dict[str, Item]:
        """Every text by its id, in the order in which they came."""
        with self._lock, self._errors():
            rows = self._database.execute(
                "SELECT id, text, pair, why, strategy, score, guess, suggested FROM items ORDER BY place"
            ).fetchall()
        return {row[0]: Item(*row) for row in rows}

    def answers(self, *, skipped: bool = False) -> list[Answer]:
        """What each person says of each text as of now, the oldest first.

        Args:
            skipped: also what was skipped.
        """
        with self._lock, self._errors():
            rows = self._database.execute(
                "SELECT number, item, annotator, label, skipped, at, seconds FROM current ORDER BY number"
            ).fetchall()
        return [answer for answer in map(_answer, rows) if skipped or not answer.skipped]

    def history(self) -> list[tuple[Answer, int | None]]:
        """Every line that was ever written, with the number of the line that it takes back."""
        with self._lock, self._errors():
            rows = self._database.execute(
                "SELECT number, item, annotator, label, skipped, at, seconds, undoes FROM answers ORDER BY number"
            ).fetchall()
        return [(_answer(row[:7]), row[7]) for row in rows]

    def hand(self, annotator: str, ids: Sequence[str], *, count: int, per_item: int) -> list[Item]:
        """At most `count` of these texts for one person, in this order, kept from others for a day.

        A text is left out if the person has answered or skipped it, or enough others have answered it or hold it.
        """
        now = time.time()
        with self._transaction() as run:
            items, mine, busy = self.items(), set(), dict[str, set[str]]()
            for answer in self.answers(skipped=True):
                if answer.annotator == annotator:
                    mine.add(answer.item)
                elif not answer.skipped:
                    busy.setdefault(answer.item, set()).add(answer.annotator)
            done = {(answer.item, answer.annotator) for answer in self.answers(skipped=True)}
            # a moment far ahead is of a clock that was set back since: it would hold the text until then
            held = run("SELECT item, annotator FROM handed WHERE at BETWEEN ? AND ?", (now - HELD_S, now + HELD_S))
            for item, holder in held.fetchall():
                if holder != annotator and (item, holder) not in done:
                    busy.setdefault(item, set()).add(holder)
            free = [each for each in ids if each not in mine and len(busy.get(each, ())) < per_item][:count]
            for each in free:
                run("INSERT OR REPLACE INTO handed VALUES (?, ?, ?)", (each, annotator, now))
        return [items[each] for each in free]

    @contextmanager
    def _transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        with self._lock, self._errors(), transaction(self._database) as run:
            yield run

    def _errors(self) -> AbstractContextManager[None]:
        hint = t("Look at the disk's space and permissions; every answer that was kept before is still there.")
        return database_errors(self.path, hint, self._damaged)

    def _damaged(self, reason: str) -> DataError:
        return DataError(
            t("{path} is damaged: {reason}.", path=self.path, reason=" ".join(reason.split())),
            t("Put a backup of it in its place, or move it away; nothing was written to it."),
        )


def _answer(row: Sequence[Any]) -> Answer:
    number, item, annotator, label, skipped, at, seconds = row
    return Answer(number, item, annotator, None if label is None else json.loads(label), bool(skipped), at, seconds)
