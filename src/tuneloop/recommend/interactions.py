"""Who chose what, when, and how much it was liked; and what was known at a moment, beside what came after it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.encoding import decode
from tuneloop.data.readers.table import place
from tuneloop.knowledge.files import find_file

Array = np.ndarray[Any, np.dtype[Any]]

COLUMNS = {
    "user": ("user_id", "user", "userid"),
    "item": ("item_id", "item", "itemid", "movieid", "product_id"),
    "value": ("rating", "value", "score"),
    "time": ("timestamp", "time", "date"),
}
"""What the columns of a table may be called, in small letters."""


@dataclass(frozen=True)
class Interactions:
    """Rows of a user, an item, a value and a time, the earliest first.

    Args:
        users: numbers of users in `user_ids`, (n,).
        items: numbers of items in `item_ids`, (n,).
        values: how much it was liked, (n,).
        times: seconds, (n,).
        user_ids: what users are called in the file.
        item_ids: what items are called in the file.
    """

    users: Array
    items: Array
    values: Array
    times: Array
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.users)

    def at(self, rows: Array) -> Interactions:
        """Some of the rows, with the same users and items."""
        return replace(
            self, users=self.users[rows], items=self.items[rows], values=self.values[rows], times=self.times[rows]
        )

    def liked(self, least: float) -> Interactions:
        """The rows with at least this value."""
        return self.at(self.values >= least)

    @cached_property
    def matrix(self) -> Any:
        """1 where a user has an item, a sparse matrix (users, items)."""
        from scipy.sparse import coo_array

        shape = (len(self.user_ids), len(self.item_ids))
        matrix = coo_array((np.ones(len(self)), (self.users, self.items)), shape=shape).tocsr()
        matrix.data[:] = 1  # an item that was chosen twice
        return matrix

    def of_users(self) -> dict[int, Interactions]:
        """The rows of each user that has any."""
        order = np.argsort(self.users, kind="stable")
        found, starts = np.unique(self.users[order], return_index=True)
        ends = [*starts[1:], len(order)]
        return {int(u): self.at(order[a:b]) for u, a, b in zip(found, starts, ends[: len(found)], strict=True)}


def read_interactions(source: str, *, base: Path = Path(), items: Sequence[str] = ()) -> Interactions:
    """The interactions in a table with a column each for users, items, times, and, if there is one, values.

    Args:
        source: .csv, .tsv or RecBole's .inter; also `pkg:PACKAGE/FILE`.
        base: the folder that a relative path starts from.
        items: all items that there are, in the order of their numbers; those of the file alone by default.

    Raises:
        DataError: naming file, row and column, if a column is missing, or a cell is no number or no known item.
    """
    path = find_file(source, base=base)
    text, _ = decode(path.read_bytes(), path=path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="," if path.suffix.lower() == ".csv" else "\t")
    header = [cell.partition(":")[0].strip().lower() for cell in next(reader, [])]
    columns = {name: _column(header, name, path) for name in COLUMNS}
    rows = [_row(cells, columns, place(path, row)) for row, cells in enumerate(reader, start=2) if cells]
    rows.sort(key=lambda row: row[3])
    users = {name: number for number, name in enumerate(dict.fromkeys(row[0] for row in rows))}
    numbers = {name: number for number, name in enumerate(items or sorted({row[1] for row in rows}))}
    unknown = next((row[1] for row in rows if row[1] not in numbers), None)
    if unknown is not None:
        raise DataError(
            t("{file}: the item {item} is not among the items.", file=path.name, item=unknown),
            t("Add it to the items, or delete its rows."),
        )
    return Interactions(
        np.array([users[row[0]] for row in rows], np.int64),
        np.array([numbers[row[1]] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64),
        np.array([row[3] for row in rows], np.float64),
        tuple(users),
        tuple(numbers),
    )


def split_by_time(interactions: Interactions, share: float = 0.8) -> tuple[Interactions, Interactions]:
    """What happened before a moment, and from that moment on; never both in one second.

    Args:
        share: of the rows that lie before it, about.
    """
    moment = np.sort(interactions.times)[min(int(share * len(interactions)), len(interactions) - 1)]
    before = interactions.times < moment
    return interactions.at(before), interactions.at(~before)


@dataclass(frozen=True)
class Case:
    """One user at the moment of a recommendation.

    Args:
        user: the number.
        known: whether the user was there before the split.
        history: numbers of the items liked so far, (h,).
        seen: numbers of all items chosen so far, (s,): not to be recommended.
        wanted: numbers of the items liked afterwards, (w,), at least one.
    """

    user: int
    known: bool
    history: Array
    seen: Array
    wanted: Array


def cases(before: Interactions, after: Interactions, *, least: float, first: int = 5) -> list[Case]:
    """Every user who likes something after the split, with what may be known of them.

    Of a user who was there before the split that is all from before. A new user names the first `first` items they
    like, as on the page of a shop; what they liked after those is to be found, and nothing else of theirs is known.

    Args:
        least: the value from which an item is liked.
        first: liked items that a new user names; who likes no more than those is left out.
    """
    past, found = before.of_users(), []
    for user, rows in after.of_users().items():
        known = user in past
        if known:
            seen, history, later = past[user].items, past[user].liked(least).items, rows
        else:
            cut = np.flatnonzero(rows.values >= least)[first - 1 : first] + 1
            shown = rows.at(np.arange(cut[0] if len(cut) else len(rows)))
            seen, history, later = shown.items, shown.liked(least).items, rows.at(np.arange(len(shown), len(rows)))
        wanted = np.setdiff1d(later.liked(least).items, seen)
        if len(wanted) and len(history):
            found.append(Case(user, known, history, seen, wanted))
    return found


def _column(header: list[str], name: str, path: Path) -> int | None:
    number = next((header.index(each) for each in COLUMNS[name] if each in header), None)
    if number is None and name != "value":
        raise DataError(
            t("{file} has no column for {name}.", file=path.name, name=name),
            t("Call it one of: {names}.", names=", ".join(COLUMNS[name])),
        )
    return number


def _row(cells: list[str], columns: dict[str, int | None], where: str) -> tuple[str, str, float, float]:
    try:
        found = {name: cells[column].strip() for name, column in columns.items() if column is not None}
        value = float(found.get("value", 1))
        return found["user"], found["item"], value, float(found["time"])
    except (ValueError, IndexError):
        raise DataError(
            t("{place}: a cell is missing, or the value or the time is no number.", place=where),
            t("Correct this row; times are seconds."),
        ) from None
