"""Rows dealt into train, dev and test: a pure function of the seed and the texts.

Rows are put in the order of a hash of (seed, content), so that neither the order of the file nor
a row that is added elsewhere decides where a row goes. What belongs together (a group, texts that
nearly equal each other) is one unit and stays together.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from tuneloop.core.config import SplitConfig
from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.examples import Label

SPLITS = ("train", "dev", "test")
MAX_BINS = 10
ROWS_PER_BIN = 20


@dataclass(frozen=True)
class Sizes:
    """Rows wanted in each split; `train` None takes what is left."""

    dev: int
    test: int
    train: int | None = None


def wanted_sizes(config: SplitConfig, rows: int, *, given: Sequence[str] = ()) -> Sizes:
    """How many of `rows` go where; splits in `given` come from files of their own.

    Raises:
        DataError: if a split would be empty.
    """
    dev, test = (0 if name in given else _count(getattr(config, name), rows) for name in ("dev", "test"))
    train = None if config.train is None else _count(config.train, rows)
    needed = dev + test + (train or 1)
    if needed > rows:
        raise DataError(
            t("The splits need {needed} rows, but only {rows} are left after cleaning.", needed=needed, rows=rows),
            t("Give more rows, or make data.split smaller."),
        )
    return Sizes(dev, test, train)


def strata(labels: Sequence[Label], names: Callable[[Iterable[Label]], list[str]] | None = None) -> list[Hashable]:
    """What each split should have an equal share of.

    Classes; for several classes the rarest of them; for numbers bins of equal counts.

    Args:
        names: the class names that occur in labels, see `Task.label_names`; the parts of each label by default.
    """
    if not labels:
        return []
    if isinstance(labels[0], tuple):
        classes = [names([label]) if names else list(map(str, label)) for label in labels]  # type: ignore[arg-type]
        counts = Counter(name for each in classes for name in each)
        return [min(each, key=lambda name: (counts[name], name), default="") for each in classes]
    if isinstance(labels[0], str):
        return list(labels) if names is None or names(labels) else [""] * len(labels)
    values = np.array(labels, dtype=np.float64)
    bins = max(1, min(MAX_BINS, len(values) // ROWS_PER_BIN))
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
    return list(np.searchsorted(edges, values, side="right").tolist())


def deal(keys: Sequence[bytes], strata: Sequence[Hashable], units: Sequence[int], sizes: Sizes) -> list[str]:
    """The split of each row, "" for rows that no split wants.

    Args:
        keys: the order of the rows, see `near.content_key`.
        strata: what each split gets an equal share of.
        units: rows of one unit stay together; a unit counts to the stratum of its first row.
        sizes: rows per split; reached exactly where units are single rows.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for row in sorted(range(len(keys)), key=lambda row: (keys[row], row)):
        members[units[row]].append(row)
    by_stratum: dict[Hashable, list[list[int]]] = defaultdict(list)
    for unit in members.values():
        by_stratum[strata[unit[0]]].append(unit)
    piles = [by_stratum[name] for name in sorted(by_stratum, key=repr)]
    splits = [""] * len(keys)
    later = 1 + (sizes.dev > 0)
    for name, wanted, leave in (("test", sizes.test, later), ("dev", sizes.dev, 1), ("train", sizes.train, 0)):
        taken = _take(piles, wanted, leave=leave)
        piles = [[unit for unit in pile if unit[0] not in taken] for pile in piles]
        for rows in taken.values():
            for row in rows:
                splits[row] = name
    return splits


def deal_by_time(times: Sequence[float], keys: Sequence[bytes], sizes: Sizes) -> list[str]:
    """The split of each row: the newest are test, those before them dev, those before them train."""
    order = sorted(range(len(times)), key=lambda row: (times[row], keys[row], row))
    splits = [""] * len(times)
    ends = len(order) - sizes.test, len(order) - sizes.test - sizes.dev
    first = 0 if sizes.train is None else max(0, ends[1] - sizes.train)
    for position, row in enumerate(order[first:], first):
        splits[row] = "test" if position >= ends[0] else "dev" if position >= ends[1] else "train"
    return splits


def parse_times(values: Sequence[Any], *, place: Callable[[int], str]) -> list[float]:
    """Dates and times as seconds since 1970; without a zone they count as UTC.

    Raises:
        DataError: at the first that is none.
    """
    times = []
    for row, value in enumerate(values):
        try:
            times.append(_seconds(value))
        except ValueError:
            raise DataError(
                t("{place}: {value!r} is not a date or time.", place=place(row), value=str(value)[:40]),
                t("Write dates as 2026-01-31 or 2026-01-31T12:00:00."),
            ) from None
    return times


def _seconds(value: Any) -> float:
    if isinstance(value, str):
        text = value.strip()
        try:
            value = float(text)
        except ValueError:
            value = datetime.fromisoformat(text.replace("/", "-"))
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _take(piles: list[list[list[int]]], wanted: int | None, *, leave: int) -> dict[int, list[int]]:
    """Units of about `wanted` rows, an equal share of each pile, by their first row; `leave` units stay at least."""
    most = sum(map(len, piles)) - leave
    if wanted == 0 or most <= 0:
        return {}
    rows = [sum(map(len, pile)) for pile in piles]
    total = sum(rows) if wanted is None else wanted
    taken: dict[int, list[int]] = {}
    quotas = apportion(total, rows, spare=min(leave, 1))
    for pile, left in zip(piles, quotas, strict=True):
        for unit in pile:
            if len(unit) <= left and len(taken) < most:
                taken[unit[0]] = unit
                left -= len(unit)
    if not taken and any(quotas):
        # every unit is larger than the share: the smallest is nearest to what was asked
        smallest = min((unit for pile in piles for unit in pile), key=len)
        taken[smallest[0]] = smallest
    return taken


def apportion(total: int, sizes: Sequence[int], *, spare: int = 0) -> list[int]:
    """`total` divided in proportion to `sizes` by largest remainder.

    Nobody gives away its last `spare`; whoever has three or more gives one, while there are enough.
    """
    limits = [max(size - spare, 0) for size in sizes]
    exact = [total * size / max(sum(sizes), 1) for size in sizes]
    given = [min(int(share), limit) for share, limit in zip(exact, limits, strict=True)]
    left = min(total, sum(limits)) - sum(given)
    small = [number for number, size in enumerate(sizes) if size >= 3 and given[number] == 0 and limits[number]]
    order = sorted(small, key=lambda number: -sizes[number])
    rest = sorted(range(len(sizes)), key=lambda number: (given[number] - exact[number], number))
    while left > 0:
        for number in order + rest:
            if left > 0 and given[number] < limits[number]:
                given[number] += 1
                left -= 1
        order = []
    return given


def _count(value: float, rows: int) -> int:
    return max(1, round(value * rows)) if value < 1 else int(value)
