"""The scores of a task as bytes, and back."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.data.examples import Span
from tuneloop.tasks.spans import as_scores
from tuneloop.tasks.written import Written

if TYPE_CHECKING:
    from tuneloop.tasks.base import FloatArray

NPY = b"\x93NUMPY"


def pack_scores(scores: FloatArray) -> bytes:
    """Numbers as a .npy file; what was found in each text, or written for it, an array of objects, as JSON."""
    if scores.dtype == object:
        return json.dumps(list(map(_plain, scores)), ensure_ascii=False).encode("utf-8")
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
    return as_scores(
        _written(each) if isinstance(each, dict) else tuple(map(_answer, each)) for each in json.loads(data)
    )


def _plain(answer: Any) -> Any:
    """What was found as it is; what was written as an object of plain numbers, which numpy's are not."""
    if not isinstance(answer, Written):
        return answer
    sure = answer.log_likelihood
    return answer._asdict() | {
        "finished": bool(answer.finished),
        "log_likelihood": None if sure is None else float(sure),
        "tokens": int(answer.tokens),
    }


def _written(fields: dict[str, Any]) -> Written:
    try:
        return Written(**fields)
    except TypeError as error:
        raise ValueError(str(error)) from None


def _answer(pair: list[Any]) -> tuple[Any, float]:
    what, sure = pair
    return (Span(*what) if isinstance(what, list) else what), sure
