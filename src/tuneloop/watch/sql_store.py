"""What both databases share: the tables and the statements."""

from __future__ import annotations

import json
import sys
from abc import abstractmethod
from array import array
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from tuneloop.core.errors import StorageError
from tuneloop.core.i18n import t
from tuneloop.watch.base import Event, Feedback
from tuneloop.watch.store import ALL, Bin, Counts, EventStore, Judged, Receipt, Verdict, Wanted

VERSION = 1
SKEW_S = 3600.0
"""By how much the clocks of two servers may differ."""

PORTION = 500
"""Rows that are read at once, so that a long reading holds up no writer."""

EVENT = (
    "id", "at", "release", "hash", "label", "confidence", "probabilities", "chars", "language", "took_ms", "text",
    "pair", "vector", "abstained", "rules", "tags",
)  # fmt: skip
FEEDBACK = ("key", "event", "label", "good", "at", "by_whom", "comment", "digest")

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS tuneloop_store (version INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS tuneloop_events (number {number}, id TEXT NOT NULL UNIQUE, at {real} NOT NULL,"
    " release TEXT NOT NULL, hash TEXT NOT NULL, label TEXT, confidence {real}, probabilities TEXT NOT NULL,"
    " chars INTEGER NOT NULL, language TEXT NOT NULL, took_ms {real} NOT NULL, text TEXT, pair TEXT, vector {bytes},"
    " abstained INTEGER NOT NULL, rules TEXT NOT NULL, tags TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS tuneloop_events_at ON tuneloop_events (at)",
    "CREATE TABLE IF NOT EXISTS tuneloop_feedback (number {number}, key TEXT NOT NULL UNIQUE,"
    " event TEXT NOT NULL REFERENCES tuneloop_events (id), label TEXT, good INTEGER, at {real} NOT NULL,"
    " by_whom TEXT NOT NULL, comment TEXT NOT NULL, digest TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS tuneloop_feedback_event ON tuneloop_feedback (event)",
)
OLD = (
    "SELECT id FROM tuneloop_events e WHERE at < ? AND NOT EXISTS"
    " (SELECT 1 FROM tuneloop_feedback f WHERE f.event = e.id AND f.at >= ?)"
)
TOOK = (
    "CASE WHEN took_ms < 10 THEN {0} / 10.0 WHEN took_ms < 100 THEN {1} WHEN took_ms < 1000 THEN {2} * 10.0"
    " ELSE {3} * 100.0 END"
)
"""A time to two digits."""

RIGHT = "CASE WHEN f.label IS NULL OR e.label IS NULL THEN f.good WHEN f.label = e.label THEN 1 ELSE 0 END"
LAST_WORDS = (
    f"SELECT e.at AS at, {RIGHT} AS is_right,"
    " ROW_NUMBER() OVER (PARTITION BY f.event ORDER BY f.number DESC) AS back"
    " FROM tuneloop_feedback f JOIN tuneloop_events e ON e.id = f.event WHERE f.number > 0"
)
"""Whether answers are right, and the how manieth word on each from the last on says so."""


class SqlStore(EventStore):
    """A store in a database that speaks SQL; what is new in one transaction is seen as a whole or not at all."""

    @abstractmethod
    def _changing(self) -> AbstractContextManager[Any]:
        """A cursor in a transaction that is alone in changing, committed when the block ends without error."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Any]:
        """A cursor."""

    @abstractmethod
    def _sql(self, statement: str) -> str:
        """A statement with `?` as this database writes it."""

    @abstractmethod
    def _whole(self, number: str) -> str:
        """An expression for the whole number below a number that is not negative."""

    def add_events(self, batch: Sequence[Event]) -> None:
        marks = ", ".join("?" * len(EVENT))
        statement = f"INSERT INTO tuneloop_events ({', '.join(EVENT)}) VALUES ({marks}) ON CONFLICT (id) DO NOTHING"
        with self._changing() as cursor:
            cursor.executemany(self._sql(statement), [_event_row(each) for each in batch])

    def add_feedback(self, batch: Sequence[Feedback]) -> list[Receipt]:
        with self._changing() as cursor:
            return [self._add(each, cursor) for each in batch]

    def _add(self, given: Feedback, cursor: Any) -> Receipt:
        stored = self._stored(given.key, cursor)
        if stored is not None:
            return Receipt(Verdict.SAME if stored.digest == given.digest else Verdict.OTHER, stored)
        cursor.execute(self._sql("SELECT 1 FROM tuneloop_events WHERE id = ?"), (given.event,))
        if cursor.fetchone() is None:
            return Receipt(Verdict.UNKNOWN)
        marks = ", ".join("?" * len(FEEDBACK))
        statement = f"INSERT INTO tuneloop_feedback ({', '.join(FEEDBACK)}) VALUES ({marks})"
        cursor.execute(self._sql(statement), _feedback_row(given))
        return Receipt(Verdict.NEW, self._stored(given.key, cursor))

    def _stored(self, key: str, cursor: Any) -> Feedback | None:
        statement = f"SELECT number, {', '.join(FEEDBACK)} FROM tuneloop_feedback WHERE key = ?"
        cursor.execute(self._sql(statement), (key,))
        row = cursor.fetchone()
        return None if row is None else _feedback(row)

    def events(self, wanted: Wanted = ALL) -> Iterator[Event]:
        columns = _columns("e", ("number", *EVENT))
        statement = f"SELECT {columns} FROM tuneloop_events e"
        for row in self._rows(statement, "e", wanted):
            yield _event(row)

    def feedback(self, wanted: Wanted = ALL) -> Iterator[tuple[Feedback, Event]]:
        columns = f"{_columns('f', ('number', *FEEDBACK))}, {_columns('e', ('number', *EVENT))}"
        statement = f"SELECT {columns} FROM tuneloop_feedback f JOIN tuneloop_events e ON e.id = f.event"
        for row in self._rows(statement, "f", wanted):
            yield _feedback(row[: 1 + len(FEEDBACK)]), _event(row[1 + len(FEEDBACK) :])

    def counts(self) -> Counts:
        with self._reading() as cursor:
            cursor.execute("SELECT count(*), min(at), max(at) FROM tuneloop_events")
            events, first_at, last_at = cursor.fetchone()
            cursor.execute("SELECT count(*) FROM tuneloop_feedback")
            return Counts(events, cursor.fetchone()[0], first_at, last_at)

    def last_numbers(self) -> tuple[int, int]:
        with self._reading() as cursor:
            cursor.execute("SELECT max(number) FROM tuneloop_events")
            events = cursor.fetchone()[0]
            cursor.execute("SELECT max(number) FROM tuneloop_feedback")
            return events or 0, cursor.fetchone()[0] or 0

    def bins(self, wanted: Wanted, width_s: float, until: int) -> list[Bin]:
        took = TOOK.format(*(self._whole(f"took_ms {scale}") for scale in ("* 10", "", "/ 10", "/ 100")))
        conditions, values = _conditions("e", wanted)
        # at first the index on times finds them, later the numbers do: the plus keeps a database from taking the other
        number, at = ("+e.number", "e.at") if wanted.after == 0 else ("e.number", "+e.at")
        where = " AND ".join([f"{number} > ?", f"{number} <= ?", *conditions]).replace("e.at", at)
        statement = (
            f"SELECT {self._whole('e.at / ?')} AS stretch, label, {took} AS took, count(*), sum(abstained),"
            f" count(confidence), coalesce(sum(confidence), 0.0) FROM tuneloop_events e WHERE {where}"
            " GROUP BY stretch, label, took"
        )
        with self._reading() as cursor:
            cursor.execute(self._sql(statement), (float(width_s), wanted.after, until, *values))
            # PostgreSQL has decimals for some of them
            return [
                Bin(stretch, label, float(took), int(count), int(abstained), int(confident), float(total))
                for stretch, label, took, count, abstained, confident, total in cursor.fetchall()
            ]

    def judged(self, wanted: Wanted, width_s: float) -> list[Judged]:
        conditions, values = _conditions("e", wanted)
        if wanted.since is not None:  # feedback comes after its event: so the older part of it needs no look at events
            conditions, values = [*conditions, "f.at >= ?"], [*values, wanted.since - SKEW_S]
        more = "".join(f" AND {condition}" for condition in conditions)
        stretch = self._whole("at / ?")
        words = (
            f"SELECT {stretch}, 0, count(*), sum(is_right) FROM ({LAST_WORDS}{more}) words"
            " WHERE back = 1 AND is_right IS NOT NULL GROUP BY 1"
        )
        said = (
            f"SELECT {self._whole('f.at / ?')}, count(*), 0, 0 FROM tuneloop_feedback f JOIN tuneloop_events e"
            f" ON e.id = f.event WHERE f.number > 0{more} GROUP BY 1"
        )
        with self._reading() as cursor:
            cursor.execute(self._sql(f"{words} UNION ALL {said}"), (float(width_s), *values, float(width_s), *values))
            found: dict[int, list[int]] = {}
            for number, *counts in cursor.fetchall():
                before = found.setdefault(int(number), [0, 0, 0])
                found[int(number)] = [one + int(other) for one, other in zip(before, counts, strict=True)]
        return [Judged(number, *counts) for number, counts in found.items()]

    def prune(self, before: float) -> int:
        with self._changing() as cursor:
            for table, column in (("tuneloop_feedback", "event"), ("tuneloop_events", "id")):
                statement = f"DELETE FROM {table} WHERE {column} IN ({OLD})"
                cursor.execute(self._sql(statement), (before, before))
            return int(cursor.rowcount)

    def _prepare(self, cursor: Any, **types: str) -> None:
        """Make the tables where they are missing.

        Args:
            types: what the database calls a growing `number`, a `real` of 8 bytes and `bytes`.
        """
        for statement in SCHEMA:
            cursor.execute(statement.format(**types))
        cursor.execute("SELECT max(version) FROM tuneloop_store")
        (version,) = cursor.fetchone()
        if version is None:
            cursor.execute(self._sql("INSERT INTO tuneloop_store VALUES (?)"), (VERSION,))
        elif version > VERSION:
            raise StorageError(
                t("The store of events was written by a later tuneloop: its format is {version}.", version=version),
                t("Use that version, or name another store."),
            )

    def _rows(self, statement: str, table: str, wanted: Wanted) -> Iterator[Any]:
        """Rows in the order of their first column, a portion at a time; times are those of the table."""
        conditions, values = _conditions(table, wanted)
        where = " AND ".join([f"{table}.number > ?", *conditions])
        # the number of the last row of a portion begins the next, whatever came or went meanwhile
        beyond = f" AND {table}.number < ?" if wanted.newest_first else ""
        order = f" ORDER BY {table}.number {'DESC' if wanted.newest_first else 'ASC'} LIMIT ?"
        query = self._sql(f"{statement} WHERE {where}{beyond}{order}")
        low, high, left = wanted.after, sys.maxsize, sys.maxsize if wanted.limit is None else wanted.limit
        while left > 0:
            size = min(PORTION, left)
            with self._reading() as cursor:
                cursor.execute(query, (low, *values, *([high] if wanted.newest_first else []), size))
                rows = cursor.fetchall()
            yield from rows
            if len(rows) < size:
                return
            left -= size
            low, high = (low, rows[-1][0]) if wanted.newest_first else (rows[-1][0], high)


def _conditions(table: str, wanted: Wanted) -> tuple[list[str], list[Any]]:
    """What is asked of times, those of the table, and of the release."""
    named = {
        f"{table}.at >= ?": wanted.since, f"{table}.at < ?": wanted.until, "e.release = ?": wanted.release,
    }  # fmt: skip
    given = {condition: value for condition, value in named.items() if value is not None}
    return list(given), list(given.values())


def _columns(table: str, names: Sequence[str]) -> str:
    return ", ".join(f"{table}.{name}" for name in names)


def _event_row(event: Event) -> tuple[Any, ...]:
    vector = None if event.vector is None else _floats(event.vector).tobytes()
    return (
        event.id, event.at, event.release, event.hash, event.label, event.confidence, _json(dict(event.probabilities)),
        event.chars, event.language, event.took_ms, event.text, event.pair, vector, int(event.abstained),
        _json(list(event.rules)), _json(dict(event.tags)),
    )  # fmt: skip


def _event(row: Sequence[Any]) -> Event:
    given: dict[str, Any] = dict(zip(("number", *EVENT), row, strict=True))
    for name in ("probabilities", "rules", "tags"):
        given[name] = json.loads(given[name])
    given["rules"], given["abstained"] = tuple(given["rules"]), bool(given["abstained"])
    if given["vector"] is not None:
        numbers = array("f", bytes(given["vector"]))
        given["vector"] = tuple(_little(numbers))
    return Event(**given)


def _feedback_row(given: Feedback) -> tuple[Any, ...]:
    good = None if given.good is None else int(given.good)
    return (given.key, given.event, given.label, good, given.at, given.by, given.comment, given.digest)


def _feedback(row: Sequence[Any]) -> Feedback:
    number, key, event, label, good, at, by, comment, digest = row
    return Feedback(key, event, label, None if good is None else bool(good), at, by, comment, digest, number)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _floats(vector: Sequence[float]) -> array[float]:
    return _little(array("f", vector))


def _little(numbers: array[float]) -> array[float]:
    """Four bytes a number, the lowest first, on every machine."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
