"""Stretches that training texts have taught, found again wherever the same words stand."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuneloop.data.examples import Span
from tuneloop.data.units import units
from tuneloop.methods.base import Baseline, BaselineModel
from tuneloop.tasks.spans import as_scores

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples, Input
    from tuneloop.tasks.base import FloatArray, Task
    from tuneloop.tasks.spans import Found

    Known = dict[tuple[str, ...], tuple[str, float]]
    """The units of a stretch, and its commonest name with how often it was that."""


class Lexicon(Baseline):
    """The longest stretch that training knows wins, from left to right, under its commonest name.

    A sequence of words that was no stretch more often than one is left alone. This is the baseline of CoNLL-2003
    (Tjong Kim Sang and De Meulder, 2003), here without the rule that a stretch must have had one name only.
    """

    name = "lexicon"

    def fit(self, examples: Examples, task: Task, *, seed: int) -> BaselineModel:
        names: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for text, label in zip(examples.texts, examples.labels, strict=True):
            for span in label:  # type: ignore[union-attr]
                names[_words(text[span.start : span.end])][span.label] += 1  # type: ignore[union-attr]
        names.pop((), None)
        longest = max(map(len, names), default=0)
        seen: Counter[tuple[str, ...]] = Counter()
        for text in examples.texts:
            words = _words(text)
            for start in range(len(words)):
                for end in range(start + 1, min(len(words), start + longest) + 1):
                    if words[start:end] in names:
                        seen[words[start:end]] += 1
        known: Known = {}
        for words, counts in names.items():
            name, count = counts.most_common(1)[0]
            if 2 * count > seen[words]:
                known[words] = name, count / max(count, seen[words])
        return _Known(self.name, task, known, longest)


class _Known(BaselineModel):
    def __init__(self, name: str, task: Task, known: Known, longest: int) -> None:
        super().__init__(name, task)
        self.known, self.longest = known, longest

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        return as_scores(self._found(str(text)) for text in inputs)

    def _found(self, text: str) -> Found:
        edges, words, found, start = units(text), _words(text), [], 0
        while start < len(words):
            ends = range(min(len(words), start + self.longest), start, -1)
            end = next((end for end in ends if words[start:end] in self.known), None)
            if end is None:
                start += 1
                continue
            name, share = self.known[words[start:end]]
            found.append((Span(int(edges[start, 0]), int(edges[end - 1, 1]), name), share))
            start = end
        return tuple(found)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text[start:end] for start, end in units(text))
