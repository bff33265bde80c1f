"""The one number of a model's answer that is explained."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    from tuneloop.tasks.base import FloatArray, Prediction, Task

Scale = Literal["probability", "log_odds", "value"]

LEAST = 1e-6
"""Probabilities are kept this far from 0 and 1, where log-odds have no end."""


@dataclass(frozen=True)
class Target:
    """One column of the scores, on a scale.

    Args:
        label: the class; empty for a number.
        column: of the scores.
        scale: see `Scale`.
    """

    label: str
    column: int
    scale: Scale

    def of(self, scores: FloatArray) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The numbers of these scores (n, columns): float64, (n,)."""
        found = np.asarray(scores, dtype=np.float64)[:, self.column]
        if self.scale != "log_odds":
            return found
        sure = np.clip(found, LEAST, 1 - LEAST)
        return np.asarray(np.log(sure / (1 - sure)))


def choose_target(task: Task, answer: Prediction, label: str | None, scale: Scale) -> Target:
    """The target for a class, by default the most probable one of an answer; for models of numbers, the number.

    Raises:
        ConfigError: if the model knows no such class.
    """
    if not task.has_classes:
        if label:
            raise ConfigError(
                t("There is no class {label!r}: this model answers with a number.", label=label),
                t("Leave the target out."),
            )
        return Target("", 0, "value")
    if label is None:
        label = max(answer.probabilities, key=answer.probabilities.__getitem__)
    if label not in task.labels:
        near = difflib.get_close_matches(label, task.labels, n=1)
        raise ConfigError(
            t("The model knows no class {label!r}.", label=label),
            (t("Did you mean {name}?", name=near[0]) + " " if near else "")
            + t("Choose one of: {known}.", known=", ".join(task.labels[:50])),
        )
    return Target(label, task.labels.index(label), scale)
