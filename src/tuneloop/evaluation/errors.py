"""The worst errors: the mistakes that the model was surest of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    sure = task.sureness(examples.labels, scores)
    wrong = (~task.right(examples.labels, scores)).nonzero()[0].tolist()
    return [
        {
            "id": examples.ids[row],
            "text": examples.texts[row][:MOST_CHARACTERS],
            "pair": None if examples.pairs is None else examples.pairs[row][:MOST_CHARACTERS],
            "label": task.told(examples.labels[row], examples.texts[row]),
            "answer": task.told(answers[row], examples.texts[row]),
            "probability": None if task.problem_type == "regression" else float(sure[row]),
        }
        for row in sorted(wrong, key=lambda row: -sure[row])[:MOST_ERRORS]
    ]
