"""What a model that is updated again and again keeps: figures over the matrix of its scores on every period.

R[i, j] is the score on the test rows of period j after training up to period i, (periods, periods), both from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Matrix = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Kept:
    """Figures of one stream, in the unit of the scores.

    Args:
        average: the mean score over all periods after the last one.
        forgetting: how far the periods before the last have fallen from their best, on average; None with one period.
            Negative where they still gain. Chaudhry et al., "Riemannian Walk for Incremental Learning" (2018),
            equation 3: of those trained before the last step.
        backward: how far they have moved since they were learnt (Lopez-Paz and Ranzato, "Gradient Episodic Memory for
            Continual Learning", 2017, equation 3); None with one period.
        forward: how much better a period is answered before it is learnt than by a model that has learnt nothing
            (equation 4); None with one period, or where that is not known.
    """

    average: float
    forgetting: float | None
    backward: float | None
    forward: float | None

    def to_json(self) -> dict[str, float | None]:
        """Its figures by name."""
        return asdict(self)


def kept(matrix: Sequence[Sequence[float | None]] | Matrix, *, untrained: Sequence[float] | None = None) -> Kept:
    """The figures of a matrix R (see above).

    Args:
        matrix: above its diagonal are periods that were not learnt yet; None or nan there, where that was not measured.
        untrained: scores on each period of a model that has learnt none of them, (periods,); for `forward` alone.

    Raises:
        ValueError: if the matrix is not square, is empty, or `untrained` is of another length.
    """
    scores = np.asarray(matrix, dtype=np.float64)
    periods = len(scores)
    if scores.shape != (periods, periods) or not periods:
        raise ValueError(f"a matrix of scores is square and not empty; this one has the shape {scores.shape}")
    if untrained is not None and len(untrained) != periods:
        raise ValueError(f"{len(untrained)} scores of an untrained model for {periods} periods")
    last, learnt = scores[-1], np.diag(scores)
    if periods == 1:
        return Kept(float(last[0]), None, None, None)
    best = np.array([scores[period:-1, period].max() for period in range(periods - 1)])
    forward = None
    if untrained is not None:
        before = np.diag(scores, k=1)
        forward = float((before - np.asarray(untrained, dtype=np.float64)[1:]).mean())
    return Kept(
        average=float(last.mean()),
        forgetting=float((best - last[:-1]).mean()),
        backward=float((last[:-1] - learnt[:-1]).mean()),
        forward=forward,
    )
