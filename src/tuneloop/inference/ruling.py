"""Where rules meet answers: predictions and scores of a model, as the rules in its folder have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.data.conversation import spoken
from tuneloop.knowledge.actions import Kind
from tuneloop.knowledge.facts import Case
from tuneloop.knowledge.reasons import Outcome, Reason, Value

if TYPE_CHECKING:
    from tuneloop.data.examples import Input, Label
    from tuneloop.knowledge.attach import Knowledge
    from tuneloop.knowledge.rules import RuleBook
    from tuneloop.tasks.base import FloatArray, Prediction, Task

KINDS: dict[str, Kind] = {
    "classification": "class",
    "pair": "class",
    "multilabel": "set",
    "regression": "number",
    "pair_regression": "number",
    "generation": "text",
}
"""What the answers of each task are, for rules; the others have answers that no rule could change."""


def check_rules(knowledge: Knowledge | None, task: Task) -> None:
    """Refuse rules that make no sense for a task.

    Raises:
        ConfigError: if the task's answers cannot be changed, or a rule does not fit them; with file, line and rule.
    """
    if knowledge is None or knowledge.book is None:
        return
    if task.name not in KINDS:
        raise ConfigError(
            t("Rules do not go with the task {task}.", task=task.name),
            t("Known here: {known}.", known=", ".join(KINDS)),
        )
    knowledge.book.check_fits(KINDS[task.name], task.labels)


def case_of(item: Input, prediction: Prediction, *, kind: Kind) -> Case:
    """What rules look at: an input, mended as the model reads it, and the model's answer."""
    text, pair = (item, "") if isinstance(item, str) else item
    answer = cast("Value", prediction.label)
    return Case(spoken(text) if kind == "text" else text, pair, answer, prediction.probabilities)


def outcomes(book: RuleBook, task: Task, inputs: Sequence[Input], predictions: Sequence[Prediction]) -> list[Outcome]:
    """What the rules make of each prediction; equal inputs with equal answers are looked at once."""
    kind = KINDS[task.name]
    known: dict[tuple[Input, Label], Outcome] = {}  # one prompt may have several answers
    keys = [(item, prediction.label) for item, prediction in zip(inputs, predictions, strict=True)]
    for key, prediction in zip(keys, predictions, strict=True):
        if key not in known:
            known[key] = book.apply(case_of(key[0], prediction, kind=kind), kind)
    return [known[key] for key in keys]


def ruled(predictions: Sequence[Prediction], found: Sequence[Outcome]) -> list[Prediction]:
    """The predictions with their final answers and the reasons; probabilities stay those of the model."""
    return [
        replace(prediction, label=outcome.answer, because=outcome.reasons) if outcome.reasons else prediction
        for prediction, outcome in zip(predictions, found, strict=True)
    ]


def discreet(predictions: Sequence[Prediction]) -> list[Prediction]:
    """Written texts with their reasons, but without anything that a rule has kept back: what a client is told."""

    def told(each: Prediction) -> tuple[Reason, ...]:
        return tuple(replace(why, before="", after=cast("Value", each.label), matched="") for why in each.because)

    return [replace(each, because=told(each)) for each in predictions]


def settle(task: Task, scores: FloatArray, answers: Sequence[Label]) -> FloatArray:
    """Scores from which `Task.decide` gives these answers; rows that it gives them from already stay as they are."""
    kind, settled = KINDS[task.name], scores.copy()
    for row, (answer, decided) in enumerate(zip(answers, task.decide(scores), strict=True)):
        if answer == decided:
            continue
        if kind == "text":
            settled[row] = scores[row]._replace(text=str(answer))
        elif kind == "number":
            settled[row] = answer
        else:
            given = answer if isinstance(answer, tuple) else (answer,)
            settled[row] = [float(label in given) for label in task.labels]
    return settled


def final_scores(handle: Any, inputs: Sequence[Input]) -> FloatArray:
    """Scores that say what the handle answers, rules included; those of the model where no rule changes its answer."""
    scores: FloatArray = np.asarray(handle.scores(inputs))
    found = rulings(handle, inputs, scores)
    return scores if found is None else settle(handle.task, scores, [each.answer for each in found])  # type: ignore[misc]


def rulings(handle: Any, inputs: Sequence[Input], scores: FloatArray) -> list[Outcome] | None:
    """What the rules of a handle make of its scores; None if it has no rules."""
    knowledge: Knowledge | None = getattr(handle, "knowledge", None)
    if knowledge is None or knowledge.book is None:
        return None
    predictions = handle.task.predictions(scores)
    return outcomes(knowledge.book, handle.task, handle.mended(inputs), predictions)
