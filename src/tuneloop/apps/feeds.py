"""News and posts as they lie in files: JSON lines, CSV, RSS and Atom; a folder of them read again and again.

Nothing is fetched: whoever has a feed elsewhere puts its file here, or posts its items to the application.
"""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tuneloop.core.errors import DataError, TuneloopError
from tuneloop.core.fsio import storage_errors
from tuneloop.core.i18n import t
from tuneloop.data.encoding import decode
from tuneloop.watch.times import moment

FEEDS = (".xml", ".rss", ".atom")
TABLES = (".csv", ".jsonl")
MOST_CHARS = 10_000
MOST_BYTES = 64 * 1024 * 1024
AHEAD_S = 86_400.0
"""How far an item's time may lie ahead: clocks and time zones differ, but next year's news would hide today's."""

SETTLED_S = 2.0
"""A file that was left alone for so long is whole, even without an end to its last line."""

MARKUP = re.compile(r"<[^<>]*>")
DECLARATION = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """A piece of news, or a post.

    Args:
        id: of the source and the item in it: the same item has the same one however often it comes.
        at: seconds since 1970, UTC, that the item itself tells.
        text: what it says.
        source: where it comes from.
    """

    id: str
    at: float
    text: str
    source: str


@dataclass(frozen=True)
class Batch:
    """What a changed file holds.

    Args:
        seen: the file and its state, by which `Feeds.done` knows it.
    """

    items: tuple[Item, ...]
    seen: tuple[Path, tuple[float, ...]]


def item_of(plain: Mapping[str, Any], *, where: str, source: str = "", now: float | None = None) -> Item:
    """An item from its plain fields `text`, `time`, and, where there are any, `id` and `source`.

    Args:
        where: begins the error message.
        source: of items that name none.
        now: seconds since 1970; the clock by default.

    Raises:
        DataError: if there is no text, it is too long, or the time is none or lies ahead.
    """
    text = " ".join(_plain(plain.get("text")).split())
    if not text or len(text) > MOST_CHARS:
        raise DataError(
            t("{where}: the text is empty or longer than {most} characters.", where=where, most=MOST_CHARS),
            t("Give a text, and cut what is longer."),
        )
    at = _time(plain.get("time"), where)
    if at > (time.time() if now is None else now) + AHEAD_S:
        raise DataError(t("{where}: the time lies ahead.", where=where), t("Give the time at which it was published."))
    source = _plain(plain.get("source")).strip()[:100] or source
    own = _plain(plain.get("id")).strip()
    name = own if 0 < len(own) <= 200 else hashlib.sha256((own or f"{at} {text}").encode()).hexdigest()
    return Item(f"{source}/{name}", at, text, source)


def read_feed(path: Path, *, whole: bool = True) -> tuple[list[Item], list[str]]:
    """The items of a file, and what is wrong with the others, in the order in which they stand.

    A .csv or .jsonl has the fields of `item_of`; RSS 0.9 to 2.0 and Atom give title and summary as one text.

    Args:
        whole: False while somebody may be writing: a last line without an end is left for later.

    Raises:
        DataError: if the file as a whole cannot be read.
    """
    with storage_errors(path):
        data = path.read_bytes() if path.stat().st_size <= MOST_BYTES else None
    if data is None:
        raise DataError(t("{path} is too large.", path=path), t("Give files of 64 MiB at most."))
    if path.suffix.lower() in FEEDS:
        rows, source = _feed(data, path)
    else:
        text, _ = decode(data, path=path) if data else ("", "")
        rows = (_lines if path.suffix.lower() == ".jsonl" else _cells)(text if whole else text[: text.rfind("\n") + 1])
        source = path.stem
    items, problems = [], []
    try:
        for number, row in rows:
            try:
                items.append(item_of(_object(row), where=f"{path.name}, {number}", source=source))
            except (DataError, ValueError) as error:
                problems.append(str(error))
    except csv.Error as error:
        problems.append(f"{path.name}: {error}")
    return items, problems


class Feeds:
    """A file, or the files of a folder, of which those are read that have changed.

    while batch := feeds.next():
        keep(batch.items)    # a known id is to be kept once: a changed file gives all its items again
        feeds.done(batch)    # not reached if keeping failed, so that they come again

    Args:
        place: need not be there yet.
    """

    def __init__(self, place: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._place, self._clock = place, clock
        self._done: dict[Path, tuple[float, ...]] = {}
        self.problems: dict[str, str] = {}
        """What is wrong, by the name of the file."""

    def next(self) -> Batch | None:
        """What one of the changed files holds; None if no file has changed."""
        for path in self._files():
            state = self._state(path)
            if not state or self._done.get(path) == state:
                continue
            try:
                items, wrong = read_feed(path, whole=bool(state[-1]))
            except TuneloopError as error:
                items, wrong = [], [str(error)]
            self.problems.pop(path.name, None)
            if wrong:
                more = t("{first} And {count} more.", first=wrong[0], count=len(wrong) - 1)
                self.problems[path.name] = wrong[0] if len(wrong) == 1 else more
            if items:
                return Batch(tuple(items), (path, state))
            self._done[path] = state
        return None

    def done(self, batch: Batch) -> None:
        """The items of a batch are kept; it does not come again until its file changes."""
        path, state = batch.seen
        self._done[path] = state

    def _files(self) -> list[Path]:
        if self._place.is_dir():
            return sorted(path for path in self._place.iterdir() if path.suffix.lower() in (*FEEDS, *TABLES))
        return [self._place] if self._place.is_file() else []

    def _state(self, path: Path) -> tuple[float, ...]:
        """Size, time of the last change, and whether that is a while ago; empty if the file is gone."""
        try:
            found = path.stat()
        except OSError:
            return ()
        return found.st_size, found.st_mtime_ns, float(self._clock() - found.st_mtime > SETTLED_S)


def _plain(value: Any) -> str:
    """A value as a text that every database takes."""
    return "" if value is None else str(value).replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def _time(given: Any, where: str) -> float:
    try:
        if not isinstance(given, str):
            at = float(given) if isinstance(given, int | float) and not isinstance(given, bool) else None
        elif re.match(r"\s*[A-Za-z]{3},", given):  # as in RSS: Wed, 02 Oct 2002 13:00:00 GMT
            at = moment(parsedate_to_datetime(given))
        elif re.fullmatch(r"\s*\d{1,12}(\.\d+)?\s*", given):
            at = float(given)
        else:  # no age such as 30m: the item would be another one at each reading
            at = moment(given.strip()) if re.match(r"\s*\d{4}-?\d\d", given) else None
    except (DataError, ValueError, TypeError, OverflowError):
        at = None
    if at is None or not math.isfinite(at) or at < 0:
        raise DataError(
            t("{where}: the time {given} cannot be read.", where=where, given=repr(given)[:80]),
            t("Write it as 2026-01-31T12:00:00Z or as seconds since 1970."),
        )
    return at


def _object(row: Any) -> Mapping[str, Any]:
    found = json.loads(row) if isinstance(row, str) else row
    if not isinstance(found, Mapping):
        raise ValueError(t("{row} is no object.", row=str(row)[:80]))
    return found


def _lines(text: str) -> Iterator[tuple[int, Any]]:
    return ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())


def _cells(text: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)  # strict: a field that never ends is no text
    return ((reader.line_num, row) for row in reader)


def _feed(data: bytes, path: Path) -> tuple[Iterator[tuple[int, Any]], str]:
    """The fields of the items of a feed, and its title."""
    if DECLARATION.search(data.replace(b"\0", b"").decode("latin-1")):  # what entities can do, no feed needs
        raise DataError(t("{path} declares entities, which are not read.", path=path), t("Give a plain feed."))
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(
            t("{path} is no feed that can be read: {error}.", path=path, error=error), t("Give RSS or Atom.")
        ) from None
    channel = next((each for each in root if _tag(each) == "channel"), root)
    title = next((_words(each) for each in channel if _tag(each) == "title"), "") or path.stem
    entries = (each for each in root.iter() if _tag(each) in ("item", "entry"))
    return ((number, _fields(each)) for number, each in enumerate(entries, 1)), title


def _fields(entry: ElementTree.Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in entry:
        found.setdefault(_tag(each), _words(each) or each.get("href", ""))
    summary = next((found[name] for name in ("description", "summary", "content") if found.get(name)), "")
    dates = (found.get(name) for name in ("pubDate", "published", "updated", "date"))
    return {
        "text": ". ".join(part.rstrip(".") for part in dict.fromkeys((found.get("title", ""), summary)) if part) + ".",
        "time": next(filter(None, dates), ""),
        "id": next(filter(None, (found.get(name) for name in ("guid", "id", "link"))), ""),
    }


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _words(element: ElementTree.Element) -> str:
    """What an element says, without the HTML that feeds put into it."""
    return " ".join(html.unescape(MARKUP.sub(" ", html.unescape("".join(element.itertext())))).split())
