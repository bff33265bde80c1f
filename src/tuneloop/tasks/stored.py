"""The scores of a task as bytes, and back."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.data.examples import Span
from tuneloop.tasks.spans import as_scores

if TYPE_CHECKING:
    from tuneloop.tasks.base import FloatArray

NPY = b"\x93NUMPY"


def pack_scores(scores: FloatArray) -> bytes:
    """Numbers as a .npy file; what was found in each text, an array of objects, as JSON."""
    if scores.dtype == object:
        return json.dumps(list(scores), ensure_ascii=False).encode("utf-8")
    buffer = io.BytesIO()
    np.save(buffer, scores, allow_pickle=False)
    return buffer.getvalue()


def unpack_scores(data: bytes) -> FloatArray:
    """What `pack_scores` was given.

    Raises:
        ValueError: if the bytes are damaged.
    """
    if data.startswith(NPY):
        found: FloatArray = np.load(io.BytesIO(data), allow_pickle=False)
        return found
    return as_scores(tuple(map(_answer, each)) for each in json.loads(data))


def _answer(pair: list[Any]) -> tuple[Any, float]:
    what, sure = pair
    return (Span(*what) if isinstance(what, list) else what), sure
