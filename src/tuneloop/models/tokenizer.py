"""A tokenizer file as a function from texts to `Tokens`, without importing torch or transformers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tuneloop.core.errors import ModelError
from tuneloop.core.hashing import hash_file
from tuneloop.core.i18n import t
from tuneloop.data.examples import Input
from tuneloop.data.masking import Marks
from tuneloop.data.tokens import Tokens
from tuneloop.models.plain_words import Piece, PlainWords

if TYPE_CHECKING:
    import tokenizers

CHUNK_TEXTS = 4096

FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
"""What a model folder may have of a tokenizer."""

AnyInput = TypeVar("AnyInput", bound=Input)


class Tokenizer:
    """Texts, or (text, pair) tuples, to token ids; longer ones are cut at `max_tokens`.

    Args:
        folder: a model folder with `tokenizer.json`.
        max_tokens: tokens per input at most, special tokens included.

    Raises:
        ModelError: if the folder has no readable `tokenizer.json`.
    """

    def __init__(self, folder: Path, max_tokens: int) -> None:
        self.path = folder / "tokenizer.json"
        self.max_tokens = max_tokens
        self._inner = _load(self.path)
        self._inner.no_padding()
        self._inner.no_truncation()
        self._cutter = _load(self.path)
        self._cutter.no_padding()
        self._cutter.enable_truncation(max_tokens, strategy="longest_first")
        self._folder = folder
        self.pad_id = self._id_of("pad_token") or 0

    @property
    def identity(self) -> str:
        """A hash of all that determines the tokens."""
        return f"{hash_file(self.path)}-{self.max_tokens}-{self.pad_id}"

    @property
    def marks(self) -> Marks:
        """Which tokens are words and which one hides a word.

        Raises:
            ModelError: if the tokenizer has no token that hides others.
        """
        mask = self._id_of("mask_token")
        if mask is None:
            raise ModelError(
                t("The tokenizer {path} has no mask token.", path=self.path),
                t("Masked language modelling needs an encoder such as BERT; or set pretraining.source: scratch."),
            )
        special = [number for number, token in self._inner.get_added_tokens_decoder().items() if token.special]
        words = np.setdiff1d(np.array(list(self._inner.get_vocab().values())), special)
        return Marks(mask=mask, special=np.array(sorted(special)), words=words)

    def pieces(self, texts: Sequence[str]) -> Tokens:
        """The tokens of every text; a longer one is several, each with special tokens of its own."""
        cut = (self._cutter.encode_batch_fast([sound(text) for text in part]) for part in in_chunks(texts))
        found = [piece for part in cut for encoding in part for piece in (encoding, *encoding.overflowing)]
        return Tokens.of_first_texts([piece.ids for piece in found], truncated=[False] * len(found), pad_id=self.pad_id)

    @cached_property
    def _words(self) -> PlainWords | None:
        """Looks words up where that gives the same tokens; not every kind of tokenizer ever asks."""
        return PlainWords.of(self.path, self._inner)

    def encode(self, inputs: Sequence[Input]) -> Tokens:
        """The tokens of every input, in order."""
        pieces = [self._piece(part) for part in in_chunks(inputs)]
        types = [np.zeros(len(each.ids), np.int8) if each.type_ids is None else each.type_ids for each in pieces]
        return Tokens(
            ids=np.concatenate([np.zeros(0, np.int32), *(each.ids for each in pieces)]),
            offsets=np.cumsum(np.concatenate([[0], *(each.lengths for each in pieces)]), dtype=np.int64),
            type_ids=np.concatenate(types) if any(kinds.any() for kinds in types) else None,
            truncated=np.concatenate([np.zeros(0, bool), *(each.truncated for each in pieces)]),
            pad_id=self.pad_id,
        )

    def _piece(self, inputs: Sequence[Input]) -> Piece:
        plain = [_unicode(item) for item in inputs]
        texts = [item for item in plain if isinstance(item, str)]
        if self._words is not None and len(texts) == len(plain):
            return self._words.encode(texts, self.max_tokens)
        encodings = self._inner.encode_batch_fast(plain)
        # only an untruncated encoding tells that a text is too long
        truncated = np.array([len(encoding) > self.max_tokens for encoding in encodings], dtype=bool)
        long = np.flatnonzero(truncated).tolist()
        for row, cut in zip(long, self._cutter.encode_batch_fast([plain[row] for row in long]), strict=True):
            encodings[row] = cut
        lengths = np.array([len(encoding) for encoding in encodings], dtype=np.int64)
        ids, types = (
            np.fromiter(chain.from_iterable(getattr(each, name) for each in encodings), kind, int(lengths.sum()))
            for name, kind in (("ids", np.int32), ("type_ids", np.int8))
        )
        return Piece(ids, types, lengths, truncated)

    def placed(self, item: Input) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Where the tokens of one input stand, int64, (tokens, 4): the token's id, the number of its text (-1 for one
        that stands nowhere), its first character and the one behind its last."""
        plain = [_unicode(item)]
        (found,) = self._inner.encode_batch(plain)
        if len(found) > self.max_tokens:
            (found,) = self._cutter.encode_batch(plain)
        texts = [-1 if number is None else number for number in found.sequence_ids]
        return np.array(
            [(number, text, *place) for number, text, place in zip(found.ids, texts, found.offsets, strict=True)],
            dtype=np.int64,
        ).reshape(-1, 4)

    @property
    def mask_text(self) -> str | None:
        """What hides a word when it is written in a text; None where nothing does."""
        mask = None if self._inner.encode_special_tokens else self._id_of("mask_token")
        return None if mask is None else str(self._inner.id_to_token(mask))

    @property
    def unknown_id(self) -> int | None:
        """What stands for a word that the tokenizer does not know; None if it knows all."""
        token = getattr(self._inner.model, "unk_token", None)
        return self._inner.token_to_id(token) if token else None

    def _id_of(self, name: str) -> int | None:
        """The id of a token by its name in tokenizer_config.json, such as `pad_token`."""
        settings = self._folder / "tokenizer_config.json"
        plain = json.loads(settings.read_text(encoding="utf-8")) if settings.is_file() else {}
        token = plain.get(name)
        written = token.get("content") if isinstance(token, dict) else token
        return self._inner.token_to_id(written) if written else None


def in_chunks(inputs: Sequence[AnyInput]) -> Iterator[Sequence[AnyInput]]:
    """The inputs, some thousand at a time."""
    return (inputs[start : start + CHUNK_TEXTS] for start in range(0, len(inputs), CHUNK_TEXTS))


def _unicode(item: Input) -> Input:
    """The input with lone surrogates, which are no Unicode text and which tokenizers refuse, as '?'."""
    if isinstance(item, tuple):
        return sound(item[0]), sound(item[1])
    return sound(item)


def sound(text: str) -> str:
    """The text with lone surrogates, which are no Unicode text, as '?'."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _load(path: Path) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer as Inner

    if not path.is_file():
        raise ModelError(
            t("{path} is missing.", path=path),
            t("Save the tokenizer with tokenizer.save_pretrained(folder) of a fast tokenizer."),
        )
    try:
        return Inner.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception for every fault of the file
        raise ModelError(t("{path} cannot be read: {error}", path=path, error=error)) from error
