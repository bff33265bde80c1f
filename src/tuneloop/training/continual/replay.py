"""Old rows beside the new ones: those of a memory, in train; all that are no leak, in dev."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.duplicates import comparables
from tuneloop.data.examples import Examples, joined
from tuneloop.training.continual.buffer import choose

if TYPE_CHECKING:
    from tuneloop.core.continual import ContinualConfig
    from tuneloop.training.continual.past import Past

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]


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

    def beside(self, train: Examples, replay: float, *, seed: int) -> Examples:
        """The new rows without those that were held out before, and behind them old ones.

        Args:
            replay: below 1, the share of the old rows in the result (and so, on average, in each batch): rows of a
                smaller memory are repeated; from 1, their number.

        Raises:
            DataError: if no new row is left.
        """
        fresh = [row for row, text in enumerate(comparables(train)) if text not in self.held_out]
        if not fresh:
            raise DataError(
                t("Every new training text stands in an old dev or test split, by which the old model was judged."),
                t("Give new rows, or leave continual.model out."),
            )
        new = joined(train.select(fresh))
        wanted = round(replay / (1 - replay) * len(new)) if replay < 1 else min(int(replay), len(self.memory))
        return joined(new, self.memory.select(_repeated(len(self.memory), wanted, seed)))


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


def _repeated(rows: int, wanted: int, seed: int) -> list[int]:
    """The first `wanted` rows; where there are fewer, all of them again and again, the last time in part by chance."""
    if not rows or wanted <= rows:
        return list(range(min(rows, wanted)))
    random = np.random.default_rng([seed, *b"again"])
    again, rest = divmod(wanted, rows)
    return [*list(range(rows)) * again, *random.permutation(rows)[:rest].tolist()]
