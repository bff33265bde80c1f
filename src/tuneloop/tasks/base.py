"""The contract of a task, and what a prediction is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from pydantic import Field

from tuneloop.core.options import Options
from tuneloop.data.examples import Input, Label

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]
    IntArray = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer.

    Args:
        label: the class, the classes, or the number.
        probabilities: probability of each class, in the order of the task's labels; empty for numbers.
        truncated: whether the text was longer than the model reads.
    """

    label: Label
    probabilities: dict[str, float]
    truncated: bool = False


class ModelHandle(Protocol):
    """All that evaluation, audits, explainers and the server see of a model."""

    @property
    def name(self) -> str:
        """A short name for tables."""

    @property
    def task(self) -> Task:
        """The task with its labels."""

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        """Probabilities (n, classes), or values (n, 1) for regression, in the order of `inputs`."""

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """One prediction per input, in order; batching happens inside."""


class Goal(Protocol):
    """All that the training loop itself asks of a task; the rest is between the task and the method."""

    primary_metric: ClassVar[str]

    def targets(self, labels: Sequence[Any]) -> np.ndarray[Any, Any]:
        """What the method's `loss` is given for each row, one after the other."""


class TaskOptions(Options):
    """Options that every task has."""

    dropout: float | None = Field(
        None, ge=0, lt=1, description="Dropout of the model while training; its own by default."
    )


class Task(ABC):
    """What is predicted: how labels become targets, which loss, how logits become answers.

    Args:
        options: the task's own options.
        state: what was learnt from the training labels, plain JSON: `{"labels": [...]}` at least.
    """

    name: ClassVar[str]
    Options: ClassVar[type[TaskOptions]] = TaskOptions
    takes_pairs: ClassVar[bool] = False
    has_classes: ClassVar[bool] = True
    problem_type: ClassVar[str]
    """What Hugging Face calls it: single_label_classification, multi_label_classification, regression."""
    primary_metric: ClassVar[str]
    """The key of `metrics` that early stopping and comparison look at; higher is better."""

    def __init__(self, options: TaskOptions, state: Mapping[str, Any]) -> None:
        self.options = options
        self.labels: tuple[str, ...] = tuple(state.get("labels", ()))

    @classmethod
    @abstractmethod
    def parse_label(cls, raw: Any) -> Label:
        """The label in one cell of a file.

        Raises:
            ValueError: with the reason, if the cell cannot be a label of this task.
        """

    @classmethod
    def label_names(cls, labels: Iterable[Label]) -> list[str]:
        """The class names that occur, sorted; empty for tasks without classes."""
        return sorted({str(label) for label in labels})

    @property
    def outputs(self) -> int:
        """Width of the model's last layer."""
        return len(self.labels)

    @property
    def has_temperature(self) -> bool:
        """Whether the logits can be divided without changing a decision."""
        return True

    def learn(self, labels: Sequence[Label]) -> None:
        """Learn from the training labels what loss and targets need (class weights, scale)."""

    @property
    def state(self) -> dict[str, Any]:
        """What a release must keep to predict alike, as JSON."""
        return {"labels": list(self.labels)}

    @abstractmethod
    def targets(self, labels: Sequence[Label]) -> np.ndarray[Any, Any]:
        """Labels as the loss wants them: (n,) int64, (n, classes) float32 or (n,) float32."""

    @abstractmethod
    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The training loss, one number per example, shape (batch,)."""

    @abstractmethod
    def divergence(self, logits: Tensor, others: Tensor) -> Tensor:
        """KL(p || q) between what two logits (batch, outputs) say, p being what `logits` says, shape (batch,)."""

    @abstractmethod
    def scores(self, logits: FloatArray) -> FloatArray:
        """Logits (n, outputs) to probabilities (n, classes) or values (n, 1)."""

    @abstractmethod
    def decide(self, scores: FloatArray) -> list[Label]:
        """Scores (n, outputs) to one label each."""

    @abstractmethod
    def metrics(self, labels: Sequence[Label], scores: FloatArray) -> dict[str, float]:
        """The headline figures of these answers."""

    def predictions(self, scores: FloatArray, truncated: Sequence[bool] | None = None) -> list[Prediction]:
        """Scores (n, outputs) to predictions."""
        cut = truncated if truncated is not None else [False] * len(scores)
        names = self.labels if self.has_classes else ()
        return [
            Prediction(label, dict(zip(names, map(float, row), strict=False)), bool(was_cut))
            for label, row, was_cut in zip(self.decide(scores), scores, cut, strict=True)
        ]

    def unscale(self, logits: FloatArray) -> FloatArray:
        """Logits of a model that is still in training, in the units of the labels (see `fold`)."""
        return logits

    def fold(self, head: torch.nn.Linear) -> None:
        """Move the scale of the targets into the model's last layer, so that any reader sees units."""

    def fold_temperature(self, head: torch.nn.Linear, temperature: float) -> None:
        """Divide the logits by `temperature` for good, by dividing the last layer."""
        import torch

        with torch.no_grad():
            head.weight.div_(temperature)
            if head.bias is not None:
                head.bias.div_(temperature)
