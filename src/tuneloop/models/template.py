"""A sentence with a gap around every text, for models that are asked to fill it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tuneloop.core.errors import ConfigError
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.data.examples import Input
from tuneloop.data.tokens import Tokens
from tuneloop.models.item_tokenizer import open_item_tokenizer, reads_items
from tuneloop.models.tokenizer import Tokenizer, sound

TEXT, PAIR, MASK = "{text}", "{pair}", "{mask}"
LEAST_ROOM = 4
"""Tokens that a template must leave for the text."""


class TemplateTokenizer(Tokenizer):
    """The tokens of texts in a template; what is too long is cut from the texts, never from the template.

    Args:
        folder: a model folder with `tokenizer.json`.
        max_tokens: tokens per input at most, the template included.
        template: such as "{text} It was {mask}.", with {pair} for the second text. A model that writes from left to
            right has no mask token: for it the gap must be the end, and what it would write next is looked at.

    Raises:
        ConfigError: if the template lacks a part, has one twice, or leaves no room for a text.
        ModelError: if the folder has no readable `tokenizer.json`.
    """

    def __init__(self, folder: Path, max_tokens: int, template: str) -> None:
        super().__init__(folder, max_tokens)
        self.template = template
        self.mask_id = self._id_of("mask_token")
        self._parts = [part for part in re.split(r"(\{text\}|\{pair\}|\{mask\})", template) if part]
        self._check()
        self._fixed = {part: self._plain(part) for part in self._parts if part not in (TEXT, PAIR, MASK)}
        self._before, self._after = self._frame()
        taken = len(self._before) + len(self._after) + sum(map(len, self._fixed.values())) + (self.mask_id is not None)
        self._room = max_tokens - taken
        if self._room < LEAST_ROOM:
            raise ConfigError(
                t("The template takes {taken} tokens of {limit}.", taken=taken, limit=max_tokens),
                t("Shorten method.template or raise model.max_tokens."),
            )
        self._inner.encode_special_tokens = True  # a mask that somebody has written is no gap

    @property
    def identity(self) -> str:
        """A hash of all that determines the tokens."""
        return hash_json([super().identity, self.template, "special tokens in texts are text"])

    def encode(self, inputs: Sequence[Input]) -> Tokens:
        """The tokens of every input in the template, in order."""
        rows, truncated = [], []
        for first, second in self._pairs(inputs):
            sentence, cut = self._cut(first, second)
            truncated.append(cut)
            rows.append([*self._before, *sentence, *self._after])
        return Tokens.of_first_texts(rows, truncated=truncated, pad_id=self.pad_id)

    def words(self, word: str) -> list[int]:
        """The tokens that fill the gap for a word."""
        return self._plain(word)

    def _pairs(self, inputs: Sequence[Input]) -> Iterator[tuple[list[int], list[int]]]:
        """The tokens of the first and of the second text of each input; none where there is no second."""
        firsts = self._many([item if isinstance(item, str) else item[0] for item in inputs])
        seconds = self._many(["" if isinstance(item, str) else item[1] for item in inputs])
        return zip(firsts, seconds, strict=True)

    def _cut(self, first: list[int], second: list[int]) -> tuple[list[int], bool]:
        """The texts in the template, with the gap, cut to fit; and whether they were cut."""
        one, other = shares(len(first), len(second), self._room)
        gap = [] if self.mask_id is None else [self.mask_id]
        return self._sentence(first[:one], second[:other], gap), one < len(first) or other < len(second)

    def _sentence(self, first: list[int], second: list[int], gap: list[int]) -> list[int]:
        given = {TEXT: first, PAIR: second, MASK: gap} | self._fixed
        return [number for part in self._parts for number in given[part]]

    def _check(self) -> None:
        counts = {part: self._parts.count(part) for part in (TEXT, PAIR, MASK)}
        if counts[TEXT] != 1 or counts[MASK] != 1 or counts[PAIR] > 1:
            raise ConfigError(
                t("method.template is {template!r}.", template=self.template),
                t("It must hold {text} and {mask} once each, and {pair} once for two texts."),
            )
        if self.mask_id is None and self._parts[-1] != MASK:
            raise ConfigError(
                t("This model writes from left to right, but {mask} is not the end of method.template."),
                t("Put the gap last, as in: {example}", example="{text} It was {mask}"),
            )

    def _plain(self, text: str) -> list[int]:
        return list(self._inner.encode(text, add_special_tokens=False).ids)

    def _many(self, texts: list[str]) -> list[list[int]]:
        return [each.ids for each in self._inner.encode_batch_fast([*map(sound, texts)], add_special_tokens=False)]

    def _frame(self) -> tuple[list[int], list[int]]:
        """The special tokens before and after a text; a model that writes on gets none after it."""
        plain = self._plain("a")
        framed = list(self._inner.encode("a").ids)
        start = next(n for n in range(len(framed)) if framed[n : n + len(plain)] == plain)
        return framed[:start], [] if self.mask_id is None else framed[start + len(plain) :]


def open_tokenizer(folder: Path, max_tokens: int, template: str = "") -> Tokenizer:
    """The tokenizer of a model folder, with a template around every text if there is one.

    Raises:
        ConfigError: if there is one for a model that reads more than text.
    """
    if reads_items(folder):
        if template:
            raise ConfigError(
                t("A model of several modalities reads no template."), t("Choose method: full, lora or probe.")
            )
        return open_item_tokenizer(folder, max_tokens)  # type: ignore[no-any-return]
    return TemplateTokenizer(folder, max_tokens, template) if template else Tokenizer(folder, max_tokens)


def shares(first: int, second: int, room: int) -> tuple[int, int]:
    """How much of two lengths fits, the longer one being cut first."""
    if first + second <= room:
        return first, second
    half = room // 2
    if second <= half:
        return room - second, second
    return (first, room - first) if first <= half else (room - half, half)
