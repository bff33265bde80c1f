"""A number for a text: a rating, a risk, a similarity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.data.examples import Label
from tuneloop.tasks.base import Task, TaskOptions

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from tuneloop.tasks.base import FloatArray


class Regression(Task):
    """Mean squared error on standardised targets; the released model answers in the user's units."""

    name = "regression"
    has_classes = False
    has_probabilities = False
    problem_type = "regression"
    primary_metric = "r2"

    def __init__(self, options: TaskOptions, state: Mapping[str, Any]) -> None:
        super().__init__(options, state)
        self.mean = float(state.get("mean", 0.0))
        self.std = float(state.get("std", 1.0))

    @classmethod
    def parse_label(cls, raw: Any) -> Label:
        try:
            value = float(raw)
        except (TypeError, ValueError):
            raise ValueError(t("{raw} is not a number", raw=repr(raw)[:60])) from None
        if not math.isfinite(value):
            raise ValueError(t("{raw} is not a finite number", raw=repr(raw)[:60]))
        return value

    @property
    def outputs(self) -> int:
        return 1

    @property
    def has_temperature(self) -> bool:
        return False

    def learn(self, labels: Sequence[Label]) -> None:
        values = _numbers(labels)
        self.mean = float(values.mean())
        self.std = float(values.std()) if np.ptp(values) else 1.0  # rounding makes a std of equal values too

    @property
    def state(self) -> dict[str, Any]:
        return {"labels": [], "mean": self.mean, "std": self.std}

    def targets(self, labels: Sequence[Label]) -> np.ndarray[Any, Any]:
        return ((_numbers(labels) - self.mean) / self.std).astype(np.float32)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return (logits.squeeze(-1) - targets) ** 2

    def divergence(self, logits: Tensor, others: Tensor) -> Tensor:
        """That of normal distributions with variance 1/2, whose negative log-likelihood is the squared error."""
        return ((logits - others) ** 2).squeeze(-1)

    def scores(self, logits: FloatArray) -> FloatArray:
        return logits.astype(np.float32)

    def decide(self, scores: FloatArray) -> list[Label]:
        return [float(value) for value in scores[:, 0]]

    def sureness(self, labels: Sequence[Label], scores: FloatArray) -> Any:
        return np.abs(scores[:, 0] - _numbers(labels))

    def metrics(self, labels: Sequence[Label], scores: FloatArray) -> dict[str, float]:
        from scipy.stats import rankdata

        truth, answer = _numbers(labels), scores[:, 0].astype(np.float64)
        error = answer - truth
        total = float(((truth - truth.mean()) ** 2).sum())
        return {
            "r2": 1 - float((error**2).sum()) / total if np.ptp(truth) else 0.0,
            "mae": float(np.abs(error).mean()),
            "rmse": float(np.sqrt((error**2).mean())),
            "pearson": _correlation(truth, answer),
            "spearman": _correlation(rankdata(truth), rankdata(answer)),
        }

    def unscale(self, logits: FloatArray) -> FloatArray:
        return (logits * self.std + self.mean).astype(np.float32)

    def fold(self, head: torch.nn.Linear) -> None:
        import torch

        with torch.no_grad():
            head.weight.mul_(self.std)
            if head.bias is not None:
                head.bias.mul_(self.std).add_(self.mean)


def _numbers(labels: Sequence[Label]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(labels, dtype=np.float64)


def _correlation(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float:
    """Pearson's r; 0 where one side does not vary, as nothing can be said there."""
    if len(first) < 2 or not np.ptp(first) or not np.ptp(second):
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
