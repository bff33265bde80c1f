"""What training texts say of words: which follow one another, and which class they stand in."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.explain.units import units_of

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples

START, END = "\x02", "\x03"
"""What stands before the first word of a text and behind the last."""
PAIR_SHARE = 0.7
"""What a word pair's own count weighs beside that of its second word (Jelinek and Mercer, 1980)."""
MOST_TEXTS = 20_000
BARE = re.compile(r"^\W+|\W+$")


def bare(text: str) -> str:
    """A word without the signs that cling to it, in small letters."""
    return BARE.sub("", text).lower()


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, without signs, in order."""
    found = (bare(unit.text) for unit in units_of(text, "word", most=1_000_000))
    return [word for word in found if word]


@dataclass(frozen=True)
class Wording:
    """Counts of the words of training texts, at most `MOST_TEXTS` of them.

    Args:
        words: how often each occurs.
        pairs: how often each two follow each other.
        by_label: in how many texts of a class each word occurs.
        rows: texts of each class.
    """

    words: Counter[str]
    pairs: Counter[tuple[str, str]]
    by_label: dict[str, Counter[str]]
    rows: Counter[str]

    def score(self, words: Sequence[str]) -> float:
        """Mean log-probability of each word and of the end behind what stands before it: higher is more usual."""
        steps = list(zip([START, *words], [*words, END], strict=True))
        return sum(math.log(self._likely(*step)) for step in steps) / len(steps)

    def leaning(self, label: str) -> dict[str, float]:
        """How much more often each word stands in texts of a class than in others: log-odds, smoothed by a half."""
        inside, others = self.by_label.get(label, Counter()), sum(self.rows.values()) - self.rows[label]
        total: Counter[str] = Counter()
        for counts in self.by_label.values():
            total.update(counts)
        return {
            word: _log_odds(inside[word], self.rows[label]) - _log_odds(count - inside[word], others)
            for word, count in total.items()
        }

    def fitting(self, before: str, after: str) -> Counter[str]:
        """Words that stood behind `before` or in front of `after`, with how often."""
        return self._behind[before] + self._in_front[after]

    @cached_property
    def _behind(self) -> dict[str, Counter[str]]:
        return self._sides(0)

    @cached_property
    def _in_front(self) -> dict[str, Counter[str]]:
        return self._sides(1)

    @cached_property
    def _total(self) -> int:
        return sum(self.words.values())

    def _sides(self, side: int) -> dict[str, Counter[str]]:
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for pair, count in self.pairs.items():
            found[pair[side]][pair[1 - side]] += count
        return found

    def _likely(self, before: str, word: str) -> float:
        alone = (self.words[word] + 1) / (self._total + len(self.words) + 1)
        seen = self.words[before]
        return PAIR_SHARE * (self.pairs[before, word] / seen if seen else 0.0) + (1 - PAIR_SHARE) * alone


def learn_wording(train: Examples, *, seed: int = 0) -> Wording:
    """The counts of training rows; of more than `MOST_TEXTS` a random choice is read."""
    rows: Any = np.arange(len(train))
    if len(train) > MOST_TEXTS:
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_TEXTS])
    words: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    by_label: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        texts = [train.texts[row]] if train.pairs is None else [train.texts[row], train.pairs[row]]
        read = [words_of(text) for text in texts]
        for each in read:
            words.update([START, *each, END])
            pairs.update(zip([START, *each], [*each, END], strict=True))
        by_label[str(train.labels[row])].update({word for each in read for word in each})
    return Wording(words, pairs, dict(by_label), Counter(str(train.labels[row]) for row in rows))


def _log_odds(count: int, of: int) -> float:
    return math.log((count + 0.5) / (of - count + 0.5))
