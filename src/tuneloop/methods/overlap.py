"""The sentence, or the choice, that shares most words with the question."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuneloop.data.examples import Span
from tuneloop.data.units import units
from tuneloop.methods.base import Baseline, BaselineModel
from tuneloop.tasks.spans import as_scores

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples, Input
    from tuneloop.tasks.base import FloatArray, Task

SENTENCE = re.compile(r"[^.!?。！？；\n]*[^.!?。！？；\s][^.!?。！？；\n]*[.!?。！？；]?")


class Overlap(Baseline):
    """Shared words, rare ones counting more (inverse document frequency over the training inputs).

    Of a text it answers the best sentence, as the sliding window of Richardson et al., "MCTest" (2013), that SQuAD
    was compared with; of choices the one nearest to the question with its text.
    """

    name = "overlap"

    def fit(self, examples: Examples, task: Task, *, seed: int) -> BaselineModel:
        counts = Counter(word for item in examples.inputs for word in {*_words(item[0]), *_words(item[1])})
        rows = len(examples)
        weights = {word: math.log((1 + rows) / (1 + count)) + 1 for word, count in counts.items()}
        return _Nearest(self.name, task, weights, unknown=math.log(1 + rows) + 1)


class _Nearest(BaselineModel):
    def __init__(self, name: str, task: Task, weights: dict[str, float], *, unknown: float) -> None:
        super().__init__(name, task)
        self.weights, self.unknown = weights, unknown

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        answer = self._choices if self.task.layout == "choices" else self._sentence
        return as_scores(answer(*item) for item in inputs)

    def _sentence(self, question: str, text: str) -> Any:
        places = [match.span() for match in SENTENCE.finditer(text)] or [(0, len(text))]
        start, end = max(places, key=lambda place: self._shared(question, text[place[0] : place[1]]))
        while start < end and text[start].isspace():
            start += 1
        return ((Span(start, end, text[start:end]), 1 / len(places)),) if start < end else ()

    def _choices(self, question: str, choices: str) -> Any:
        listed = choices.split("\n")
        near = [0.01 + self._shared(question, each) / (1 + self._sum(_words(each))) for each in listed]
        return tuple((each, value / sum(near)) for each, value in zip(listed, near, strict=True))

    def _shared(self, one: str, other: str) -> float:
        return self._sum(_words(one) & _words(other))

    def _sum(self, words: set[str]) -> float:
        return sum(self.weights.get(word, self.unknown) for word in sorted(words))


def _words(text: str) -> set[str]:
    return {text[start:end].lower() for start, end in units(text)}
