"""Which training rows an answer leans on, by the gradients of the last layer.

The gradient of the cross-entropy of a row at a linear last layer is (p - y) h^T for the weights and (p - y) for the
bias, p being the probabilities, y the label as a one-hot vector and h what the layer receives. A small step on a
training row lowers the loss of a text by the product of both gradients, (p - y).(p' - y') (h.h' + 1), times the size
of the step: TracIn at the last layer and at the final weights alone (Pruthi et al., "Estimating Training Data
Influence by Tracing Gradient Descent", 2020, section 4.3), close to representer points (Yeh et al., 2018).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.explain.nearest import TrainingRows
from tuneloop.explain.target import choose_target
from tuneloop.explain.vectors import lacks_vectors, last_layer, vectors_of

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.tasks.base import ModelHandle

    FloatArray = np.ndarray[Any, np.dtype[np.float64]]

TASKS = ("classification", "pair")


@dataclass(frozen=True)
class Influence:
    """What one training row does to one answer.

    Args:
        id: of the row.
        text: of the row.
        pair: its second text; None without one.
        label: what the row is labelled with.
        value: by how much the loss of the text falls with a step of size 1 on this row, to first order; below 0 the
            row speaks against the label of the text.
        probability: what the model gives the row's own label; a low one may be a wrong label.
    """

    id: str
    text: str
    pair: str | None
    label: str
    value: float
    probability: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Influences:
    """The rows that matter most to an answer.

    Args:
        item: the input, mended.
        answer: the model's.
        label: the class whose loss is looked at.
        helpful: rows that speak most for it, the strongest first.
        harmful: rows that speak most against it, the strongest first.
        rows: training rows that were looked at.
    """

    item: Input
    answer: str
    label: str
    helpful: tuple[Influence, ...]
    harmful: tuple[Influence, ...]
    rows: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


class Influencing:
    """Training rows with their gradients at the last layer, ready for any text.

    Args:
        known: the rows with their vectors, of a torch model with a linear last layer that answers with one class.

    Raises:
        ModelError: if the model is another: see `refuses`.
    """

    def __init__(self, known: TrainingRows) -> None:
        why = refuses(known.model)
        if why:
            raise ModelError(
                t("Training rows cannot be held to the answers of this model: {why}", why=why),
                t("The nearest training rows can be told of any model."),
            )
        self.model, self.rows = known.model, known.rows
        self._weights, self._biases = last_layer(known.model)
        self._vectors, self._errors = self._gradients(known.vectors, list(map(str, self.rows.labels)))

    def of(self, item: Input, *, label: str | None = None, most: int = 5) -> Influences:
        """The rows that matter most to an input.

        Args:
            item: the input.
            label: the class whose loss is looked at: the true one, if it is known; by default the answer.
            most: rows of either kind.

        Raises:
            ConfigError: if there is no such class.
        """
        mended = getattr(self.model, "mended", None)
        item = item if mended is None else mended([item])[0]
        (answer,) = self.model.predict([item])
        wanted = choose_target(self.model.task, answer, label, "probability").label
        values = self.values(item, wanted)
        order = np.argsort(-values, kind="stable")
        return Influences(
            item, str(answer.label), wanted,
            tuple(self._row(row, values) for row in order[:most] if values[row] > 0),
            tuple(self._row(row, values) for row in order[::-1][:most] if values[row] < 0),
            len(self.rows),
        )  # fmt: skip

    def values(self, item: Input, label: str) -> FloatArray:
        """What each training row does to the loss of an input with this label, float64, (rows,)."""
        vectors, errors = self._gradients(vectors_of(self.model, [item]), [label])
        return np.asarray((self._errors @ errors[0]) * (self._vectors @ vectors[0]))

    def _gradients(self, heard: Any, labels: list[str]) -> tuple[FloatArray, FloatArray]:
        """h, with a 1 behind it where there is a bias, (n, hidden + 1), and p - y, (n, classes)."""
        logits, vectors = heard @ self._weights.T, heard.astype(np.float64)
        if self._biases is not None:
            logits = logits + self._biases
            vectors = np.concatenate([vectors, np.ones((len(vectors), 1))], axis=1)
        errors = np.asarray(self.model.task.scores(logits), dtype=np.float64).copy()
        columns = [self.model.task.labels.index(label) for label in labels]
        errors[np.arange(len(labels)), columns] -= 1
        return vectors, errors

    def _row(self, row: Any, values: FloatArray) -> Influence:
        pairs, label = self.rows.pairs, str(self.rows.labels[row])
        own = 1 + float(self._errors[row, self.model.task.labels.index(label)])
        return Influence(
            self.rows.ids[row], self.rows.texts[row], None if pairs is None else pairs[row],
            label, float(values[row]), own,
        )  # fmt: skip


def refuses(model: ModelHandle) -> str:
    """Why the rows behind an answer cannot be told; empty if they can."""
    if model.task.name not in TASKS:
        return t("its task is {task}, not one of {known}.", task=model.task.name, known=", ".join(TASKS))
    return lacks_vectors(model)
