"""Training rows whose class is known in probability alone, as `tuneloop weak label` writes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.config import TrainingConfig
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples
    from tuneloop.methods.base import Method
    from tuneloop.tasks.base import Task

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]

SUM_TOLERANCE = 0.01


def train_probabilities(
    task: Task, method: Method, split: Callable[[str], Examples], training: TrainingConfig
) -> FloatArray | None:
    """What the loss is to learn instead of the labels of train, (rows, classes); None where the task asks for no such.

    A row without probabilities has its label with certainty. The loss is the cross-entropy to them.

    Args:
        split: gives the rows of train, dev or test.

    Raises:
        ConfigError: if the method or a regulariser needs one class for each row, or a row of dev or test has
            probabilities: these are measured by labels of people.
        DataError: if probabilities are not such; with the id of the row.
    """
    column = getattr(task.options, "probabilities", "")
    if not column:
        return None
    if not method.learns_probabilities or training.supcon:
        raise ConfigError(
            t("task.probabilities: method {name} needs one class for each row.", name=method.name)
            if not method.learns_probabilities
            else t("task.probabilities: training.supcon needs one class for each row."),
            t("Choose method: full, lora, adapter or probe, training.supcon: 0, or leave task.probabilities empty."),
        )
    for name in ("dev", "test"):
        rows = split(name)
        given = zip(rows.ids, rows.columns.get(column, ()), strict=False)
        if (row := next((row for row, value in given if value is not None), None)) is not None:
            raise ConfigError(
                t(
                    "Row {id} of {split} has probabilities: what is measured needs labels of people.",
                    id=row,
                    split=name,
                ),
                t("Name files labelled by people as data.dev and data.test."),
            )
    rows = split("train")
    if column not in rows.columns:
        raise ConfigError(
            t("The rows of {split} have no column called {name!r}.", split="train", name=column),
            t("Write it with tuneloop weak label, or leave task.probabilities empty."),
        )
    found = np.zeros((len(rows), len(task.labels)), np.float32)
    for number, (value, label) in enumerate(zip(rows.columns[column], rows.labels, strict=True)):
        shares = {str(label): 1.0} if value is None else _shares(value, rows.ids[number], task)
        found[number] = [shares.get(each, 0.0) for each in task.labels]
    return found / found.sum(axis=1, keepdims=True)


def _shares(value: Any, row: str, task: Task) -> Mapping[str, float]:
    """The probabilities of one row; a text is read as JSON."""
    try:
        plain = json.loads(value) if isinstance(value, str) else value
        shares = {str(label): float(share) for label, share in plain.items()}
    except (ValueError, TypeError, AttributeError):
        raise _wrong(row, t("they are no object of classes and numbers")) from None
    if strange := sorted(shares.keys() - set(task.labels)):
        raise _wrong(row, t("{label!r} is no class of train", label=strange[0]))
    if not all(share >= 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > SUM_TOLERANCE:
        raise _wrong(row, t("they are not 0 or more with the sum 1"))
    return shares


def _wrong(row: str, reason: str) -> DataError:
    return DataError(
        t("Row {id} of train, task.probabilities: {reason}.", id=row, reason=reason),
        t("Write {example}, or leave it empty for a row with a sure label.", example='{"yes": 0.8, "no": 0.2}'),
    )
