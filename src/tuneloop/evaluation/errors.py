"""The worst errors: the mistakes that the model was surest of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.data.conversation import shortened as shortened_prompt
from tuneloop.evaluation.written import shortened, texts_of
from tuneloop.media.items import described
from tuneloop.tasks.written import rows_of_chrf

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples
    from tuneloop.tasks.base import FloatArray, Task

MOST_ERRORS = 20
MOST_CHARACTERS = 500


def worst_errors(task: Task, examples: Examples, scores: FloatArray, probabilities: FloatArray) -> list[dict[str, Any]]:
    """Id, text, pair, label, answer and probability of the most confident mistakes, the surest first.

    `probability` is what the model gave to its mistake: to the wrong class, or for multi-label tasks to the decision on
    the class that it is most wrong about. For numbers it is None, and the largest errors come first. For written texts
    it is None too, and those with the lowest chrF come first, which stands beside them as `chrf`.

    Args:
        scores: what the answers are decided by, after rules.
        probabilities: what the model itself said.
    """
    if task.generates:
        return _furthest(examples, scores)
    answers = task.decide(scores)
    sure = task.sureness(examples.labels, probabilities)
    if task.problem_type == "single_label_classification" and task.has_probabilities:
        sure = probabilities[np.arange(len(scores)), scores.argmax(axis=1)]  # of the answer, also where a rule gave it
    wrong = (~task.right(examples.labels, scores)).nonzero()[0].tolist()
    return [
        {
            "id": examples.ids[row],
            "text": described(examples.texts[row])[:MOST_CHARACTERS],
            "pair": None if examples.pairs is None else examples.pairs[row][:MOST_CHARACTERS],
            "label": task.told(examples.labels[row], examples.texts[row]),
            "answer": task.told(answers[row], examples.texts[row]),
            "probability": None if task.problem_type == "regression" else float(sure[row]),
        }
        for row in sorted(wrong, key=lambda row: -sure[row])[:MOST_ERRORS]
    ]


def _furthest(examples: Examples, scores: FloatArray) -> list[dict[str, Any]]:
    """The written texts that share least with their reference; those that equal it are no errors."""
    overlap, texts = rows_of_chrf(examples.labels, scores), texts_of(scores)
    other = [row for row, text in enumerate(texts) if text.strip() != str(examples.labels[row]).strip()]
    return [
        {
            "id": examples.ids[row],
            "text": shortened_prompt(examples.texts[row], MOST_CHARACTERS),
            "pair": None,
            "label": shortened(str(examples.labels[row]), MOST_CHARACTERS),
            "answer": shortened(texts[row], MOST_CHARACTERS),
            "probability": None,
            "chrf": float(overlap[row]),
        }
        for row in sorted(other, key=lambda row: overlap[row])[:MOST_ERRORS]
    ]
