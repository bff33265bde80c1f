"""Labelled examples before every text, for models that are asked to fill a gap."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tuneloop.core.errors import ModelError
from tuneloop.core.fsio import write_json
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.data.examples import Input
from tuneloop.data.neighbours import Neighbours
from tuneloop.data.tokens import IntArray, Tokens
from tuneloop.models.template import TemplateTokenizer, shares

if TYPE_CHECKING:
    from tuneloop.data.neighbours import FloatArray

EXAMPLES = "examples.json"
"""In a model folder, the texts that examples are chosen from."""

LEAST_OF_EXAMPLE = 16
"""Tokens to which the texts of an example are cut at most; where not even these fit, it is left out."""


COMPARED_TEXTS = 256
"""Texts that are compared with all examples at once."""


@dataclass(frozen=True)
class Shots:
    """What examples are chosen from, and how many.

    Args:
        inputs: the texts.
        labels: the class of each.
        count: how many stand before a text at most.
    """

    inputs: tuple[Input, ...] = ()
    labels: tuple[str, ...] = ()
    count: int = 0

    def write(self, folder: Path) -> None:
        """Keep them in a model folder; no text, where none is ever shown."""
        rows = zip(self.inputs, self.labels, strict=True) if self.count else ()
        plain = [{"text": text, "label": label} for text, label in rows]
        write_json(folder / EXAMPLES, {"count": self.count, "examples": plain})

    @classmethod
    def read(cls, folder: Path) -> Shots:
        """Those in a model folder.

        Raises:
            ModelError: if they are missing or damaged.
        """
        path = folder / EXAMPLES
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            inputs = tuple(_input(row["text"]) for row in plain["examples"])
            return cls(inputs, tuple(str(row["label"]) for row in plain["examples"]), int(plain["count"]))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ModelError(
                t("{path} cannot be read: {error}", path=path, error=error),
                t("Open a folder that tuneloop has written: a run's model/ or a release."),
            ) from None


def kept_texts(folder: Path) -> int:
    """How many training texts a model folder holds."""
    return len(Shots.read(folder).inputs) if (folder / EXAMPLES).is_file() else 0


class ShotsTokenizer(TemplateTokenizer):
    """Each text in a template, after the examples that are most like it, the nearest last.

    Liu et al., "What Makes Good In-Context Examples for GPT-3?" (2022). What is too long is cut from the examples,
    then the farthest are left out: nothing is taken from the text itself, or from the gap.

    Args:
        folder, max_tokens, template: as `TemplateTokenizer` takes them.
        words: what an example of each class has in the gap.
        separator: what stands after each example.
        balanced: take the nearest of each class in turn.

    Raises:
        ConfigError: see `TemplateTokenizer`.
        ModelError: if the folder has no readable `tokenizer.json`.
    """

    def __init__(
        self, folder: Path, max_tokens: int, template: str, *, words: Mapping[str, str], separator: str, balanced: bool
    ) -> None:
        super().__init__(folder, max_tokens, template)
        self._words = {label: self.words(word) for label, word in words.items()}
        self._separator = self.words(separator)
        self._balanced = balanced
        self.shots = Shots()
        self._neighbours: Neighbours
        self._texts: list[tuple[list[int], list[int]]]
        self._classes: IntArray

    def showing(self, shots: Shots) -> ShotsTokenizer:
        """The same tokenizer with these examples.

        Raises:
            ModelError: if one has a class without a word.
        """
        if unknown := set(shots.labels) - self._words.keys():
            raise ModelError(
                t("An example has the class {label}, which the model does not know.", label=min(unknown)),
                t("Open a folder that tuneloop has written: a run's model/ or a release."),
            )
        other = copy.copy(self)
        other.shots = shots
        if shots.count:
            other._neighbours = Neighbours(shots.inputs)
            other._texts = list(self._pairs(shots.inputs))
            other._classes = np.unique(shots.labels, return_inverse=True)[1]
        return other

    @property
    def identity(self) -> str:
        """A hash of all that determines the tokens."""
        shown = [self.shots.count, *zip(self.shots.inputs, self.shots.labels, strict=True)]
        return hash_json([super().identity, self._words, self._separator, self._balanced, shown])

    def encode(self, inputs: Sequence[Input]) -> Tokens:
        """The tokens of every input in the template, behind its examples, in order."""
        return self._encode(inputs, apart=False)

    def encode_apart(self, inputs: Sequence[Input]) -> Tokens:
        """The same, but no input is its own example."""
        return self._encode(inputs, apart=True)

    def nearest(self, inputs: Sequence[Input], *, apart: bool = False) -> list[list[int]]:
        """The numbers of the examples for each input, the nearest last.

        Args:
            apart: leave out the examples that are the input itself.
        """
        if not self.shots.count:
            return [[] for _ in inputs]
        return [
            self._chosen(cosines, item if apart else None)
            for part in (inputs[start : start + COMPARED_TEXTS] for start in range(0, len(inputs), COMPARED_TEXTS))
            for item, cosines in zip(part, self._neighbours.cosines(part), strict=True)
        ]

    def mean_read(self, inputs: Sequence[Input]) -> float:
        """How many examples stand before each input, on average: as many as fit."""
        return float(np.mean([len(examples) for *_, examples, _ in self._prompts(inputs, apart=False)]))

    def _encode(self, inputs: Sequence[Input], *, apart: bool) -> Tokens:
        rows, truncated = [], []
        for sentence, cut, examples, cap in self._prompts(inputs, apart=apart):
            rows.append([*self._before, *self._written(examples, cap), *sentence, *self._after])
            truncated.append(cut)
        return Tokens.of_first_texts(rows, truncated=truncated, pad_id=self.pad_id)

    def _prompts(self, inputs: Sequence[Input], *, apart: bool) -> Iterator[tuple[list[int], bool, list[int], int]]:
        """Of each input the text in the template, whether it was cut, its examples, and the tokens of their texts."""
        for (first, second), examples in zip(self._pairs(inputs), self.nearest(inputs, apart=apart), strict=True):
            sentence, cut = self._cut(first, second)
            room = self.max_tokens - len(self._before) - len(sentence) - len(self._after)
            yield sentence, cut, *self._fitting(examples, room)

    def _chosen(self, cosines: FloatArray, itself: Input | None) -> list[int]:
        order = np.argsort(-cosines, kind="stable")
        if itself is not None:
            order = order[[self.shots.inputs[row] != itself for row in order]]
        if self._balanced:
            order = order[np.argsort(_turns(self._classes[order]), kind="stable")]
        chosen = sorted(order[: self.shots.count], key=lambda row: (-cosines[row], row))
        return [int(row) for row in reversed(chosen)]

    def _fitting(self, examples: list[int], room: int) -> tuple[list[int], int]:
        """Those of these examples that fit into so much room, and the tokens that the texts of each may have."""
        while examples:
            words = [self._words[self.shots.labels[row]] for row in examples]
            left = room - sum(len(self._sentence([], [], word)) + len(self._separator) for word in words)
            lengths = np.array([len(first) + len(second) for first, second in (self._texts[row] for row in examples)])
            if np.minimum(lengths, LEAST_OF_EXAMPLE).sum() <= left:
                return examples, _cap(lengths, left)
            examples = examples[1:]
        return [], 0

    def _written(self, examples: list[int], cap: int) -> list[int]:
        written: list[int] = []
        for row in examples:
            first, second = self._texts[row]
            one, other = shares(len(first), len(second), cap)
            word = self._words[self.shots.labels[row]]
            written += [*self._sentence(first[:one], second[:other], word), *self._separator]
        return written


def _cap(lengths: IntArray, room: int) -> int:
    """The most tokens that each text may have, so that all of them fit."""
    return max(cap for cap in range(room + 1) if np.minimum(lengths, cap).sum() <= room)


def _turns(classes: IntArray) -> list[int]:
    """For each in order, how many of its class came before."""
    seen: dict[int, int] = {}
    turns = []
    for each in classes.tolist():
        turns.append(seen.get(each, 0))
        seen[each] = turns[-1] + 1
    return turns


def _input(plain: str | Iterable[str]) -> Input:
    if isinstance(plain, str):
        return plain
    first, second = plain
    return str(first), str(second)
