"""Retrieval, then ranking: candidates from several sides, and one small model that puts them in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tuneloop.recommend.interactions import Case, Interactions
from tuneloop.recommend.neighbours import ItemNeighbours, popularity

Array = np.ndarray[Any, np.dtype[Any]]

LATE = 0.8
"""Share of the past after which a choice counts for what is popular of late."""

BEST = 3
"""Items of a history by which another one's likeness is told, the most like ones."""


class Recommender:
    """What to show to whom, knowing no more than `past`; who is shown something is known by a history alone.

    The ranker is gradient boosting on trees (Friedman 2001; Ke et al. 2017 for histograms) over behaviour, popularity,
    each likeness and each number of the items. What it learns is to come from before the users that it is judged by:
    `lessons` of an earlier recommender, `cases` of the time between.

    Args:
        past: what everybody chose up to now.
        least: the value from which an item is liked.
        likenesses: of items, by name, (items, items) each, 0 of an item with itself.
        numbers: of items, such as their years, (items,) each; NaN where one is not known.
        candidates: items that each side puts forward.
    """

    def __init__(
        self,
        past: Interactions,
        *,
        least: float,
        likenesses: Mapping[str, Array],
        numbers: Sequence[Array] = (),
        candidates: int = 100,
    ) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier

        liked = past.liked(least)
        late = liked.at(liked.times > np.quantile(liked.times, LATE))
        self.likenesses, self.numbers, self._most = dict(likenesses), list(numbers), candidates
        self.near = ItemNeighbours(liked.matrix)
        self.chosen, self.likes = popularity(past.matrix), popularity(liked.matrix)
        self.popular, self.late = (
            1000 * each / max(1, len(np.unique(past.users))) for each in (self.likes, popularity(late.matrix))
        )
        self._ranker = HistGradientBoostingClassifier(
            max_iter=80, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=100, l2_regularization=1, random_state=0
        )

    def candidates(self, history: Array, seen: Array) -> Array:
        """Items worth ranking: liked by the same people, like the history in any way, popular, popular of late."""
        sides = [self.near.scores(history), self.popular, self.late]
        sides += [likeness[:, history].mean(axis=1) for likeness in self.likenesses.values()]
        kept = np.zeros(len(self.popular), bool)
        for side in sides:
            order = np.argsort(-side, kind="stable")[: self._most + len(seen)]
            kept[order[side[order] > 0]] = True
        kept[seen] = False
        return np.flatnonzero(kept)

    def features(self, history: Array, items: Array) -> Array:
        """What the ranker sees of items beside a history, (items, features), float32."""
        near = self.near.scores(history)
        columns = [near[items] / len(history), near[items] / max(near.max(), 1e-12)]
        columns += [self.popular[items], self.late[items], (self.likes[items] + 2) / (self.chosen[items] + 4)]
        columns += [_nearest(each[np.ix_(items, history)]) for each in self.likenesses.values()]
        for each in self.numbers:
            known = each[history][~np.isnan(each[history])]
            columns += [each[items], np.abs(each[items] - (np.median(known) if len(known) else np.nan))]
        return np.stack([*columns, np.full(len(items), len(history))], axis=1).astype(np.float32)

    def lessons(self, cases: Sequence[Case]) -> tuple[Array, Array]:
        """Features of the candidates of each case, (n, features), and whether they were wanted, (n,)."""
        found = [(case, self.candidates(case.history, case.seen)) for case in cases]
        rows = [self.features(case.history, items) for case, items in found]
        return np.concatenate(rows), np.concatenate([np.isin(items, case.wanted) for case, items in found])

    def fit(self, rows: Array, wanted: Array) -> None:
        """Teach the ranker; the same lessons give the same ranker."""
        self._ranker.fit(rows, wanted)

    def scores(self, history: Array, seen: Array) -> Array:
        """How likely each item is wanted, (items,); -inf for the seen ones and those that are no candidates.

        Args:
            history: numbers of liked items; with none, popularity is all there is.
            seen: numbers of items not to be shown.
        """
        if not len(history):
            found = self.popular.copy()
            found[seen] = -np.inf
            return found
        items, found = self.candidates(history, seen), np.full(len(self.popular), -np.inf)
        if len(items):
            found[items] = self._ranker.predict_proba(self.features(history, items))[:, 1]
        return found


def _nearest(likeness: Array) -> Array:
    """The mean likeness to the most like ones, (items, history) to (items,)."""
    return np.asarray(np.sort(likeness, axis=1)[:, -BEST:].mean(axis=1))
