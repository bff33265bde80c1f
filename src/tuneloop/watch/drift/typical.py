"""Which texts are new: the most typical ones of what has changed, and those worth labelling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuneloop.data.examples import as_input
from tuneloop.labelling.base import Suggestion
from tuneloop.watch.base import Event
from tuneloop.watch.drift.base import joined
from tuneloop.watch.drift.classifier import unseen
from tuneloop.watch.drift.vocabulary import Vocabulary, text_of

DIMENSIONS = 64
"""Of the vectors that words are brought to where no others are kept."""


def newness(reference: Sequence[Event], events: Sequence[Event]) -> Any:
    """How much each event is unlike the reference, by a classifier that has not seen it, float, (events,).

    By vectors if all events have them, else by words. NaN for all where there is neither.
    """
    rows = _rows(reference, events)
    if rows is None or not len(reference) or not len(events):
        return np.full(len(events), np.nan)
    new = np.repeat(np.array([0, 1], np.float32), [len(reference), len(events)])
    return unseen(rows, new[:, None])[len(reference) :, 0]


def typical(reference: Sequence[Event], events: Sequence[Event], n: int) -> list[int]:
    """Numbers of the events that are most typical of what is new, the first the most; no text twice, none without."""
    scores = newness(reference, events)
    seen: set[str] = set()
    found: list[int] = []
    for row in np.argsort(-scores, kind="stable"):
        text = text_of(events[row])
        if len(found) < n and text is not None and text not in seen and np.isfinite(scores[row]):
            seen.add(text)
            found.append(int(row))
    return found


def to_label(reference: Sequence[Event], events: Sequence[Event], n: int, *, seed: int = 0) -> list[Suggestion]:
    """Texts whose labels would teach the model what is new: no two alike, the least sure answers first.

    Of the newer half of the texts `n` groups are made (k-means of their vectors, else words), and of each the text is
    taken of which the model is least sure. `score` is 1 - confidence, `row` the number among `events`.
    """
    from sklearn.cluster import KMeans

    rows = typical(reference, events, max(n, len(events) // 2))
    if not rows or not n:
        return []
    chosen = [events[row] for row in rows]
    places = _rows([], chosen)
    groups = KMeans(min(n, len(rows)), n_init=2, random_state=seed).fit_predict(places)
    best: dict[int, int] = {}
    for place, group in enumerate(groups):
        if group not in best or _doubt(chosen[place]) > _doubt(chosen[best[group]]):
            best[group] = place
    ordered = sorted(best.values(), key=lambda place: (-_doubt(chosen[place]), place))
    return [_suggestion(rows[place], chosen[place]) for place in ordered]


def _rows(reference: Sequence[Event], events: Sequence[Event]) -> Any:
    """Vectors of all, (reference + events, dimensions); None where some have neither vector nor text."""
    every = [*reference, *events]
    if all(event.vector is not None for event in every):
        return np.array([event.vector for event in every], dtype=np.float32)
    if any(event.text is None for event in every):
        return None
    from sklearn.decomposition import TruncatedSVD

    words = joined([Vocabulary().measure(every)])
    return TruncatedSVD(min(DIMENSIONS, max(1, len(every) - 1)), random_state=0).fit_transform(words)


def _doubt(event: Event) -> float:
    return 1 - (event.confidence or 0.0)


def _suggestion(row: int, event: Event) -> Suggestion:
    return Suggestion(row, as_input(str(event.text), event.pair), round(_doubt(event), 4), "drift", event.label)
