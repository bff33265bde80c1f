"""Calibration: one number that makes probabilities as sure as the model is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tuneloop.data.examples import Label
    from tuneloop.tasks.base import FloatArray, Task

BOUNDS = (0.2, 10.0)


def fit_temperature(logits: FloatArray, labels: Sequence[Label], task: Task) -> float:
    """The temperature with the least negative log-likelihood of these answers; 1 where there is none.

    Guo et al., "On Calibration of Modern Neural Networks" (2017), section 4.2: logits / T, found on
    dev, where the model was not trained. No decision changes.

    There is none where every answer is right: the likelihood then has no maximum.

    Args:
        logits: (n, outputs), of dev.
        labels: the true answers.
        task: one that `has_temperature`.
    """
    from scipy.optimize import minimize_scalar

    if task.decide(task.scores(logits)) == list(labels):
        return 1.0
    targets, exact = task.targets(labels), logits.astype(np.float64)
    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(exact / math.exp(log_t), targets),
        bounds=tuple(map(math.log, BOUNDS)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return math.exp(found.x)


def negative_log_likelihood(logits: np.ndarray[Any, Any], targets: np.ndarray[Any, Any]) -> float:
    """Mean over rows of softmax (targets (n,) int64) or sigmoid (targets (n, classes) 0 or 1) answers."""
    if targets.ndim == 1:
        right = np.take_along_axis(logits, targets[:, None], axis=1)[:, 0]
        return float((np.logaddexp.reduce(logits, axis=1) - right).mean())
    return float(np.logaddexp(0, np.where(targets > 0, -logits, logits)).mean())
