"""Inputs that a model reads in several parts: windows, choices, hypotheses about a text, or each text apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import ConfigError
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.data.examples import Input
from tuneloop.data.tokens import Tokens
from tuneloop.models.template import LEAST_ROOM
from tuneloop.models.tokenizer import Tokenizer, in_chunks, sound

if TYPE_CHECKING:
    from tokenizers import Encoding

FIRST_SHARE = 0.5
"""Share of a window that the first of two texts may take; what is more of it is cut."""


class WindowTokenizer(Tokenizer):
    """Nothing of a long text is lost: it is read in windows that overlap, each token with its place in the text.

    Of two texts the second is read in windows, each behind the whole first one; places are those in the second.

    Args:
        folder: a model folder with `tokenizer.json`.
        max_tokens: tokens of a window at most, special tokens included.
        stride: tokens that neighbouring windows share; a quarter of a window at most.

    Raises:
        ModelError: if the folder has no readable `tokenizer.json`.
    """

    def __init__(self, folder: Path, max_tokens: int, *, stride: int) -> None:
        super().__init__(folder, max_tokens)
        self.stride = min(stride, max_tokens // 4)

    @property
    def identity(self) -> str:
        """A hash of all that determines the tokens."""
        return f"{super().identity}-windows-{self.stride}"

    def encode(self, inputs: Sequence[Input]) -> Tokens:
        """The windows of every input, in order."""
        windows, owners, cut = [], [], []
        for number, (whole, was_cut) in enumerate(self._encodings(inputs)):
            for window in (whole, *whole.overflowing):
                windows.append(window)
                owners.append(number)
                cut.append(was_cut)
        types = np.concatenate([np.zeros(0, np.int8), *(np.array(each.type_ids, np.int8) for each in windows)])
        return Tokens(
            ids=np.concatenate([np.zeros(0, np.int32), *(np.array(each.ids, np.int32) for each in windows)]),
            offsets=np.cumsum([0, *map(len, windows)], dtype=np.int64),
            type_ids=types if types.any() else None,
            truncated=np.array(cut, dtype=bool),
            pad_id=self.pad_id,
            places=np.concatenate([np.zeros((0, 2), np.int32), *map(_places, windows)]),
            owners=np.array(owners, dtype=np.int64),
        )

    def _encodings(self, inputs: Sequence[Input]) -> Iterator[tuple[Encoding, bool]]:
        """Each input with its further windows in `overflowing`, and whether its first text was cut."""
        for part in in_chunks(inputs):
            paired = isinstance(part[0], tuple)
            self._cutter.enable_truncation(
                self.max_tokens, stride=self.stride, strategy="only_second" if paired else "only_first"
            )
            firsts = [self._short(sound(each[0])) if isinstance(each, tuple) else sound(each) for each in part]
            both: Any = [
                (first, sound(each[1])) if isinstance(each, tuple) else first
                for each, first in zip(part, firsts, strict=True)
            ]
            cut = [isinstance(each, tuple) and len(f) < len(each[0]) for each, f in zip(part, firsts, strict=True)]
            yield from zip(self._cutter.encode_batch(both), cut, strict=True)

    def _short(self, text: str) -> str:
        room = int(self.max_tokens * FIRST_SHARE) - 2
        places = self._inner.encode(text, add_special_tokens=False).offsets
        return text if len(places) <= room else text[: places[room - 1][1]]


class ChoiceTokenizer(Tokenizer):
    """A text and its choices, one per line, as one pair of texts for each choice; they are judged together."""

    @property
    def identity(self) -> str:
        """A hash of all that determines the tokens."""
        return f"{super().identity}-choices"

    def encode(self, inputs: Sequence[Input]) -> Tokens:
        """The pairs of every input, in order."""
        return _parts(super().encode, inputs, lambda text, choices: [(text, each) for each in choices.split("\n")])


class HypothesisTokenizer(Tokenizer):
    """Each text beside each of the same sentences about it; what is too long is cut from the text.

    Args:
        folder: a model folder with `tokenizer.json`.
        max_tokens: tokens of a text and a sentence at most, special tokens included.
        hypotheses: one sentence for each class.

    Raises:
        ConfigError: if a sentence leaves no room for a text.
        ModelError: if the folder has no readable `tokenizer.json`.
    """

    def __init__(self, folder: Path, max_tokens: int, hypotheses: Sequence[str]) -> None:
        super().__init__(folder, max_tokens)
        self.hypotheses = tuple(map(sound, hypotheses))
        self._cutter.enable_truncation(max_tokens, strategy="only_first")
        lengths = {each: len(self._inner.encode("", each)) for each in self.hypotheses}
        longest = max(lengths, key=lengths.__getitem__)
        if lengths[longest] > max_tokens - LEAST_ROOM:
            raise ConfigError(
                t(
                    "The sentence {sentence!r} takes {taken} tokens of {limit}.",
                    sentence=longest,
                    taken=lengths[longest],
                    limit=max_tokens,
                ),
                t("Shorten it or raise model.max_tokens."),
            )

    @property
    def identity(self) -> str:
        """A hash of all that determines the tokens."""
        return hash_json([super().identity, *self.hypotheses])

    def encode(self, inputs: Sequence[Input]) -> Tokens:
        """The pairs of every text, in order."""
        tokens = super().encode([(str(text), sentence) for text in inputs for sentence in self.hypotheses])
        count = len(self.hypotheses)
        return replace(tokens, owners=np.repeat(np.arange(len(inputs)), count), bound=True, columns=count)


class ApartTokenizer(Tokenizer):
    """The two texts of a pair, each read by itself; a lone text stays one."""

    @property
    def identity(self) -> str:
        """A hash of all that determines the tokens."""
        return f"{super().identity}-apart"

    def encode(self, inputs: Sequence[Input]) -> Tokens:
        """The texts of every input, in order."""
        return _parts(super().encode, inputs, lambda first, second: [first, second])


def _parts(encode: Any, inputs: Sequence[Input], split: Any) -> Tokens:
    parts: list[list[Input]] = [split(*each) if isinstance(each, tuple) else [each] for each in inputs]
    tokens: Tokens = encode([part for each in parts for part in each])
    return replace(tokens, owners=np.repeat(np.arange(len(parts)), list(map(len, parts))), bound=True)


def _places(window: Encoding) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Characters of each token in the last of its texts, int32, (tokens, 2)."""
    last = max((number for number in window.sequence_ids if number is not None), default=0)
    inside = np.array([number == last for number in window.sequence_ids])
    return np.where(inside[:, None], np.array(window.offsets, dtype=np.int32).reshape(-1, 2), 0)
