"""The worst errors: the mistakes that the model was surest of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples
    from tuneloop.tasks.base import FloatArray, Task

MOST_ERRORS = 20
MOST_CHARACTERS = 500


def worst_errors(task: Task, examples: Examples, scores: FloatArray) -> list[dict[str, Any]]:
    """Id, text, pair, label, answer and probability of the most confident mistakes, the surest first.

    `probability` is what the model gave to its mistake: to the wrong class, or for multi-label tasks to the decision on
    the class that it is most wrong about. For numbers it is None, and the largest errors come first.
    """
    answers = task.decide(scores)
    sure = _sureness(task, examples, scores)
    wrong = [row for row, answer in enumerate(answers) if answer != examples.labels[row]]
    return [
        {
            "id": examples.ids[row],
            "text": examples.texts[row][:MOST_CHARACTERS],
            "pair": None if examples.pairs is None else examples.pairs[row][:MOST_CHARACTERS],
            "label": examples.labels[row],
            "answer": answers[row],
            "probability": float(sure[row]) if task.has_classes else None,
        }
        for row in sorted(wrong, key=lambda row: -sure[row])[:MOST_ERRORS]
    ]


def _sureness(task: Task, examples: Examples, scores: FloatArray) -> np.ndarray[Any, Any]:
    """How sure the model was of what it got wrong, (n,)."""
    if task.problem_type == "single_label_classification":
        return np.asarray(scores.max(axis=1))
    if task.problem_type == "multi_label_classification":
        return np.asarray(np.abs(scores - task.targets(examples.labels)).max(axis=1))
    return np.abs(scores[:, 0] - np.array(examples.labels, dtype=np.float64))
