"""Old rows beside the new ones: those of a memory, in train; all that are no leak, in dev."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.batches import Turns
from tuneloop.data.duplicates import comparables
from tuneloop.data.examples import Examples, joined
from tuneloop.training.continual.buffer import choose

if TYPE_CHECKING:
    from tuneloop.core.continual import ContinualConfig
    from tuneloop.training.continual.past import Past

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]
    IntArray = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class OldRows:
    """What a run takes of the rows that its model has learnt from before.

    Args:
        memory: rows of the old train splits that may be seen again.
        dev: rows of the old dev splits.
        held_out: texts of the old dev and test splits, as `comparables`; new rows with one of them are not trained on.
        seen: rows of the new test split whose text the old model was trained on.
    """

    memory: Examples
    dev: Examples
    held_out: frozenset[str]
    seen: int

    def beside(self, new: Examples, replay: float, *, seed: int) -> Examples:
        """The new rows and behind them as many old ones as are wanted, for a method that reads all rows alike."""
        rows = len(self.memory)
        return joined(new, self.memory.select(_repeated(rows, _wanted(replay, len(new), rows), seed)))

    def turns(self, train: Examples, groups: IntArray, replay: float, *, seed: int) -> Turns:
        """As many old rows as are wanted in each epoch, which are others each time.

        Args:
            train: new rows with all of the memory behind them, and perhaps changed copies of both behind these.
            groups: for each group of texts that a batch never parts, the number of its row of `train`.
        """
        known = set(self.memory.ids)
        old = np.array([number in known or number.rpartition("~")[0] in known for number in train.ids])[groups]
        new, rotating = np.flatnonzero(~old), np.flatnonzero(old)
        order = np.random.default_rng([seed, *b"turns"]).permutation(rotating)
        return Turns(new, order, _wanted(replay, len(new), len(rotating)))

    def new(self, train: Examples) -> Examples:
        """The new rows without those that were held out before.

        Raises:
            DataError: if none is left.
        """
        fresh = [row for row, text in enumerate(comparables(train)) if text not in self.held_out]
        if not fresh:
            raise DataError(
                t("Every new training text stands in an old dev or test split, by which the old model was judged."),
                t("Give new rows, or leave continual.model out."),
            )
        return joined(train.select(fresh))


def old_rows(
    past: Past,
    config: ContinualConfig,
    split: Callable[[str], Examples],
    *,
    seed: int,
    vectors: Callable[[Examples], FloatArray],
) -> OldRows:
    """The old rows that neither stand in the new splits nor are judged by: a text said anew has its new label.

    Args:
        split: the new train, dev or test.
        vectors: what the old model's last layer receives of rows, (n, hidden).
    """
    new = {name: comparables(split(name)) for name in ("train", "dev", "test")}
    said = {text for texts in new.values() for text in texts}
    aside = frozenset(text for name in ("dev", "test") for text in comparables(past.rows(name)))
    old, old_dev = past.rows("train"), past.rows("dev")
    trained = frozenset(comparables(old)) - aside
    old, old_dev = _without(old, said | aside), _without(old_dev, said)
    size = config.memory or len(old)
    chosen = choose(config.buffer, old.labels, size, seed=seed, vectors=lambda: vectors(old))
    return OldRows(old.select(chosen), old_dev, aside, sum(text in trained for text in new["test"]))


def _without(rows: Examples, texts: Collection[str]) -> Examples:
    return rows.select([row for row, text in enumerate(comparables(rows)) if text not in texts])


def _wanted(replay: float, new: int, old: int) -> int:
    """Old rows beside so many new ones: below 1 `replay` is their share, and they may come again; else their number."""
    if not old:
        return 0
    return round(replay / (1 - replay) * new) if replay < 1 else min(int(replay), old)


def _repeated(rows: int, wanted: int, seed: int) -> list[int]:
    """The first `wanted` rows; where there are fewer, all of them again and again, the last time in part by chance."""
    if not rows or wanted <= rows:
        return list(range(min(rows, wanted)))
    random = np.random.default_rng([seed, *b"again"])
    again, rest = divmod(wanted, rows)
    return [*list(range(rows)) * again, *random.permutation(rows)[:rest].tolist()]
