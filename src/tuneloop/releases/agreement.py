"""Does an exported form answer like the torch-fp32 model it was made from?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tuneloop.data.examples import Examples


@dataclass(frozen=True)
class Agreement:
    """How far one engine is from torch-fp32 on dev; probabilities, or label units for regression."""

    max_difference: float
    agreement: float
    loss: float
    batch_effect: float

    def to_json(self) -> dict[str, float]:
        """Plain JSON."""
        return asdict(self)


def compare_scores(reference: Any, predictor: Any, dev: Examples) -> Agreement:
    """Both models on `dev`; `loss` is the fall of the task's primary metric, negative for a gain."""
    task = reference.task
    expected, found = reference.scores(dev.inputs), predictor.scores(dev.inputs)
    same = [a == b for a, b in zip(task.decide(expected), task.decide(found), strict=True)]
    metric = task.primary_metric
    loss = task.metrics(dev.labels, expected)[metric] - task.metrics(dev.labels, found)[metric]
    return Agreement(
        float(np.max(np.abs(expected - found))), float(np.mean(same)), float(loss), batch_effect(predictor, dev)
    )


def batch_effect(predictor: Any, dev: Examples, *, texts: int = 8) -> float:
    """Largest change of a score when a short text is padded beside the longest ones."""
    by_length = sorted(dev.inputs, key=lambda each: len(each) if isinstance(each, str) else sum(map(len, each)))
    short, longest = by_length[:texts], by_length[-1]
    alone = np.concatenate([predictor.scores([each]) for each in short])
    beside = np.concatenate([predictor.scores([each, longest])[:1] for each in short])
    return float(np.max(np.abs(alone - beside)))
