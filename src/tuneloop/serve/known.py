"""Answers that were given already, by their content: an equal text is not computed again."""

from __future__ import annotations

import json
import secrets
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from tuneloop.serve.slot import Addressed, ServedModel
    from tuneloop.tasks.base import Prediction

Found: TypeAlias = "tuple[Prediction, Any]"
"""An answer, and the vector of its text or None."""

ENTRY_BYTES = 250
"""What an answer takes beside itself: its key, its place in the table and in the order of use."""


class KnownAnswers:
    """Keeps answers in memory, up to a number of bytes; those that were not asked for longest leave first.

    An answer is found by a hash of the release's manifest, the engine and the input as it came. The hash is keyed with
    a secret of this process: no question is held, nor a hash by which somebody could look for one.

    Args:
        most_bytes: of all answers; 0 keeps none.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._answers: OrderedDict[bytes, tuple[int, Found]] = OrderedDict()
        self.bytes = 0

    def find(self, model: ServedModel, inputs: Iterable[Addressed], *, vectors: bool) -> dict[Addressed, Found]:
        """The inputs whose answer by this model is known, with it.

        Args:
            vectors: whether answers must come with vectors.
        """
        if not self._keeps(model):
            return {}
        keys = {item: self._key(model, item, vectors) for item in inputs}
        with self._lock:
            known = {item: key for item, key in keys.items() if key in self._answers}
            for key in known.values():
                self._answers.move_to_end(key)
            return {item: self._answers[key][1] for item, key in known.items()}

    def keep(self, model: ServedModel, found: Mapping[Addressed, Found], *, vectors: bool) -> None:
        """Remember what a model has answered; `vectors` as in `find`."""
        if not self._keeps(model):
            return
        for item, (prediction, vector) in found.items():
            # a row of a batch's vectors would keep the whole batch alive
            answer = prediction, None if vector is None else vector.copy()
            self._put(self._key(model, item, vectors), answer, ENTRY_BYTES + size_bytes(answer))

    def _keeps(self, model: ServedModel) -> bool:
        """Whether an answer of this model holds for every request with the same input.

        Outside a release nothing says which model it is. What a model writes may be drawn. And with an engine whose
        answers hang on their neighbours in a batch, the company of one request would decide the answers of others.
        """
        return self._most_bytes > 0 and bool(model.manifest) and not model.writes and model.is_steady

    def _key(self, model: ServedModel, item: Addressed, vectors: bool) -> bytes:
        one, plain = model.of(item)
        content = json.dumps([one.manifest, one.engine, vectors, plain])
        return blake2b(content.encode("ascii"), key=self._secret, digest_size=16).digest()

    def _put(self, key: bytes, answer: Found, size: int) -> None:
        with self._lock:
            before = self._answers.pop(key, None)
            self._answers[key] = size, answer
            self.bytes += size - (before[0] if before else 0)
            while self.bytes > self._most_bytes:
                _, (freed, _) = self._answers.popitem(last=False)
                self.bytes -= freed


def size_bytes(value: Any) -> int:
    """About what an answer takes in memory; names of classes are shared by all answers and not counted."""
    own = sys.getsizeof(value)
    if isinstance(value, dict):
        return own + sum(map(size_bytes, value.values()))
    if isinstance(value, tuple | list):
        return own + sum(map(size_bytes, value))
    parts = getattr(value, "__dataclass_fields__", None)
    return own if parts is None else own + sum(size_bytes(getattr(value, name)) for name in parts)
