"""Which words texts are made of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.data.units import UNIT
from tuneloop.watch.base import Event
from tuneloop.watch.drift.base import Detector, Effect, Rows
from tuneloop.watch.drift.embedding import discrepancy_p

FEATURES = 1 << 14
NAMED = 5
_SIGN = re.compile(r"[^\w]|_")


class Vocabulary(Detector):
    """The words of texts, where texts are kept.

    The discrepancy of `embedding` with another kernel: two texts are alike by the words that both have, a word counting
    the less the more texts have it. That is Pearson's chi-square over words; as words of a text hang together, its
    p-value is counted over permutations of whole texts.
    """

    name = "vocabulary"
    most_past = 400

    def measure(self, events: Sequence[Event]) -> Rows:
        from sklearn.feature_extraction.text import HashingVectorizer

        hashed = HashingVectorizer(
            analyzer=words, n_features=FEATURES, binary=True, alternate_sign=False, norm=None, dtype=np.float32
        )
        return hashed.transform([text for event in events if (text := text_of(event)) is not None] or [""])[
            : sum(event.text is not None for event in events)
        ]

    def p_value(self, past: Rows, window: Rows, random: np.random.Generator) -> float:
        from scipy import sparse

        rows = sparse.vstack([past, window], format="csr")
        weights = 1 / (1 + np.asarray(rows.sum(axis=0)).ravel())
        kernel = (rows.multiply(weights).tocsr() @ rows.T).toarray().astype(np.float32)
        return discrepancy_p(kernel, window.shape[0], random)

    def effect(self, reference: Sequence[Event], window: Sequence[Event]) -> Effect | None:
        before, now = (
            [words(text) for event in events if (text := text_of(event)) is not None] for events in (reference, window)
        )
        if len(before) < 2 or not now:
            return None
        half = len(before) // 2
        usual = _new_share(before[:half], before[half:])
        return Effect(_new_share(before, now), usual, {"words": _risen(before, now)})

    @classmethod
    def title(cls) -> str:
        return t("words")

    @classmethod
    def sentence(cls, effect: Mapping[str, Any]) -> str:
        return t(
            "{now:.0%} of the words were not seen in the reference ({before:.0%} between its own halves); more often "
            "than before: {words}",
            now=effect["value"], before=effect["reference"], words=", ".join(effect["words"]) or "-",
        )  # fmt: skip


def text_of(event: Event) -> str | None:
    """All that an event keeps of its text."""
    if event.text is None:
        return None
    return event.text if event.pair is None else f"{event.text}\n{event.pair}"


def words(text: str) -> list[str]:
    """Words, numbers and Chinese characters, in small letters."""
    return [unit for unit in UNIT.findall(text.lower()) if not _SIGN.fullmatch(unit)]


def _new_share(before: list[list[str]], now: list[list[str]]) -> float:
    known = {word for text in before for word in text}
    found = [word not in known for text in now for word in text]
    return sum(found) / len(found) if found else 0.0


def _risen(before: list[list[str]], now: list[list[str]]) -> list[str]:
    """Words that more texts have than the reference lets expect, the most surprising first, by Poisson's z."""
    old, new = (Counter(word for text in texts for word in set(text)) for texts in (before, now))
    ratio = len(now) / len(before)
    surprise = {word: (n - ratio * old[word]) / np.sqrt(ratio * (old[word] + 1)) for word, n in new.items() if n > 1}
    return [word for word in sorted(surprise, key=lambda word: (-surprise[word], word)) if surprise[word] > 0][:NAMED]
