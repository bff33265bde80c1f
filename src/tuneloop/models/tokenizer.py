"""A tokenizer file as a function from texts to `Tokens`, without importing torch or transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tuneloop.core.errors import ModelError
from tuneloop.core.hashing import hash_file
from tuneloop.core.i18n import t
from tuneloop.data.examples import Input
from tuneloop.data.tokens import Tokens

if TYPE_CHECKING:
    import tokenizers

CHUNK_TEXTS = 4096


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
        self.pad_id = _pad_id(folder, self._inner)

    @property
    def identity(self) -> str:
        """A hash of all that determines the tokens."""
        return f"{hash_file(self.path)}-{self.max_tokens}-{self.pad_id}"

    def encode(self, inputs: Sequence[Input]) -> Tokens:
        """The tokens of every input, in order."""
        lengths, ids, types, truncated = [0], [], [], []
        for start in range(0, len(inputs), CHUNK_TEXTS):
            chunk = [_unicode(item) for item in inputs[start : start + CHUNK_TEXTS]]
            encodings = self._inner.encode_batch_fast(chunk)
            # only an untruncated encoding tells that a text is too long
            long = [row for row, encoding in enumerate(encodings) if len(encoding) > self.max_tokens]
            cut = dict(zip(long, self._cutter.encode_batch_fast([chunk[row] for row in long]), strict=True))
            for row, whole in enumerate(encodings):
                encoding = cut.get(row, whole)
                lengths.append(len(encoding))
                ids.append(np.array(encoding.ids, dtype=np.int32))
                types.append(np.array(encoding.type_ids, dtype=np.int8))
                truncated.append(row in cut)
        type_ids = np.concatenate(types) if types else np.zeros(0, np.int8)
        return Tokens(
            ids=np.concatenate(ids) if ids else np.zeros(0, np.int32),
            offsets=np.cumsum(lengths, dtype=np.int64),
            type_ids=type_ids if type_ids.any() else None,
            truncated=np.array(truncated, dtype=bool),
            pad_id=self.pad_id,
        )


def _unicode(item: Input) -> Input:
    """The input with lone surrogates, which are no Unicode text and which tokenizers refuse, as '?'."""
    if isinstance(item, tuple):
        return _sound(item[0]), _sound(item[1])
    return _sound(item)


def _sound(text: str) -> str:
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


def _pad_id(folder: Path, inner: tokenizers.Tokenizer) -> int:
    settings = folder / "tokenizer_config.json"
    plain = json.loads(settings.read_text(encoding="utf-8")) if settings.is_file() else {}
    token = plain.get("pad_token")
    name = token.get("content") if isinstance(token, dict) else token
    found = inner.token_to_id(name) if name else None
    return found if found is not None else 0
