"""From what sureness on a cheap model may answer in the place of a strong one, at a stated loss of accuracy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.evaluation.noninferior import noninferiority_p

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

THRESHOLDS = 1 - np.geomspace(1e-4, 1.0, 241)
"""Sureness from which the cheap model answers, from hardly ever to always; fixed before any row is seen."""


@dataclass(frozen=True)
class HandOver:
    """Which texts the cheap model leaves to the strong one, and what the rows say of it.

    Args:
        threshold: the cheap model answers if it is at least this sure.
        share: of the rows, handed over.
        loss: accuracy of the strong model minus that of both together, on the rows.
        p: of the test that the true loss is `max_loss` or more.
        max_loss: what was promised.
        confidence: with which probability the promise holds.
        rows: it was chosen on.
        only_strong: rows that the strong model alone answers rightly where the cheap one answers.
        only_cheap: rows that the cheap one alone does.
    """

    threshold: float
    share: float
    loss: float
    p: float
    max_loss: float
    confidence: float
    rows: int
    only_strong: int
    only_cheap: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def choose_handover(
    sure: Floats, cheap_right: Bools, strong_right: Bools, *, max_loss: float, confidence: float
) -> HandOver:
    """The hand-over that lets the cheap model answer most, of those whose loss is certain to be below `max_loss`.

    Fixed-sequence testing of Angelopoulos et al., "Learn then Test: Calibrating predictive algorithms to achieve risk
    control" (2021), section 2.2: thresholds are tried from the safest on, each by an exact paired test at level
    1 - confidence, up to the first that fails. So the chosen one is worse than promised with a chance of 1 - confidence
    at most, however many were tried.

    Args:
        sure: how sure the cheap model is of each row, 0 to 1, (n,).
        cheap_right: whether it answers rightly, (n,).
        strong_right: the same of the strong model.

    Raises:
        DataError: if no threshold passes.
    """
    return _chosen(
        lambda threshold: (sure >= threshold, cheap_right), strong_right, max_loss=max_loss, confidence=confidence
    )


def choose_exits(
    sure: Floats, exit_right: Bools, whole_right: Bools, *, max_loss: float, confidence: float
) -> HandOver:
    """`choose_handover` for the exits of one model, which all have one threshold: a row leaves at its first sure exit.

    One threshold makes of all exits one sequence of choices, so that the loss and the chance of error need not be dealt
    out among them.

    Args:
        sure: how sure each exit is of each row, 0 to 1, (exits, n).
        exit_right: whether each exit answers rightly, (exits, n).
        whole_right: the same of the whole model, (n,).

    Raises:
        DataError: if no threshold passes.
    """

    def answers(threshold: float) -> tuple[Bools, Bools]:
        left = leaving(sure, threshold)
        return left >= 0, exit_right[left, np.arange(len(left))]

    return _chosen(answers, whole_right, max_loss=max_loss, confidence=confidence)


def leaving(sure: Floats, threshold: float) -> NDArray[np.int64]:
    """The number of the exit at which each row leaves, from 0; -1 for those that go through the whole model, (n,)."""
    sure_enough = sure >= threshold
    return np.where(sure_enough.any(axis=0), sure_enough.argmax(axis=0), -1)


def _chosen(
    answers: Callable[[float], tuple[Bools, Bools]], strong_right: Bools, *, max_loss: float, confidence: float
) -> HandOver:
    """The last threshold that passes; `answers` tells which rows the cheap side answers, and whether rightly."""
    chosen: HandOver | None = None
    tried: HandOver | None = None
    rows, before = len(strong_right), None
    for threshold in THRESHOLDS:
        keeps, cheap_right = answers(threshold)
        now = (keeps.tobytes(), (keeps & cheap_right).tobytes())
        if tried is None or now != before:
            tried = _hand_over(float(threshold), keeps, cheap_right, strong_right, max_loss, confidence)
        before = now
        if tried.p > 1 - confidence:
            break
        chosen = tried
    if chosen is None:
        raise DataError(
            t(
                "{rows} rows cannot show that a cascade loses less than {loss:.3f} of accuracy with {confidence:.0%} "
                "confidence.", rows=rows, loss=max_loss, confidence=confidence,
            ),
            t("Give more labelled rows with --data, or allow more with --max-loss or less with --confidence."),
        )  # fmt: skip
    return chosen


def _hand_over(
    threshold: float, keeps: Bools, cheap_right: Bools, strong_right: Bools, max_loss: float, confidence: float
) -> HandOver:
    only_strong = int((keeps & strong_right & ~cheap_right).sum())
    only_cheap = int((keeps & cheap_right & ~strong_right).sum())
    rows = len(keeps)
    return HandOver(
        threshold=threshold, share=float(1 - keeps.mean()), loss=(only_strong - only_cheap) / rows,
        p=noninferiority_p(only_strong, only_cheap, rows, margin=max_loss), max_loss=max_loss, confidence=confidence,
        rows=rows, only_strong=only_strong, only_cheap=only_cheap,
    )  # fmt: skip
