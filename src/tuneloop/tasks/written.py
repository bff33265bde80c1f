"""Texts that a model wrote, and how near one comes to its reference."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

from tuneloop.core.errors import MissingExtraError
from tuneloop.data.examples import Label


class Written(NamedTuple):
    """One text that a model wrote; the scores of a task that generates are an array (n,) of them.

    Args:
        text: what the model wrote.
        finished: whether it ended by itself, not by the limit of tokens.
        log_likelihood: sum over the tokens of the reference answer, natural logarithm; None where the model cannot
            say how likely a text is.
        tokens: tokens of the reference answer that `log_likelihood` is the sum over.
    """

    text: str
    finished: bool = True
    log_likelihood: float | None = None
    tokens: int = 0


@lru_cache(maxsize=1 << 16)
def chrf(text: str, reference: str) -> float:
    """The chrF2 of one text, 0 to 1: F-score of its runs of one to six characters, recall counting double.

    Popović, "chrF: character n-gram F-score for automatic MT evaluation" (2015), as sacrebleu computes it. Figures,
    paired tests, slices and the list of errors all ask for the same pairs, so they are remembered.

    Raises:
        MissingExtraError: without sacrebleu.
    """
    return float(_chrf().sentence_score(text, [reference]).score) / 100


def rows_of_chrf(labels: Sequence[Label], scores: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """chrF of each written text against its reference, 0 to 1, (n,)."""
    return np.array([chrf(each.text, str(label)) for each, label in zip(scores, labels, strict=True)])


@cache
def _chrf() -> Any:
    try:
        from sacrebleu.metrics.chrf import CHRF
    except ImportError as error:
        raise MissingExtraError(error.name or "sacrebleu", "generation") from None
    return CHRF()
