"""One class out of several: sentiment, intent, topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.examples import Label
from tuneloop.tasks.base import Task, TaskOptions

if TYPE_CHECKING:
    from torch import Tensor

    from tuneloop.tasks.base import FloatArray


class ClassificationOptions(TaskOptions):
    """Options of single-label classification."""

    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: a class counts in inverse proportion to its frequency."
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Share of the target spread evenly over all classes.")
    probabilities: str = Field(
        "",
        description="Column of training rows with the probability of each class, to learn from instead of the label.",
    )


class Classification(Task):
    """Single-label classification with softmax and cross-entropy.

    Class weights follow scikit-learn's `balanced` rule, n / (classes x count); label smoothing
    follows Szegedy et al., "Rethinking the Inception Architecture" (2016), equation 8. Targets are classes (n,) or,
    where training rows have probabilities, shares of the classes (n, classes).
    """

    name = "classification"
    Options = ClassificationOptions
    problem_type = "single_label_classification"
    primary_metric = "macro_f1"
    options: ClassificationOptions

    def __init__(self, options: TaskOptions, state: Mapping[str, Any]) -> None:
        super().__init__(options, state)
        self._number = {label: number for number, label in enumerate(self.labels)}
        self._weights: list[float] | None = None

    @classmethod
    def parse_label(cls, raw: Any) -> Label:
        text = "" if raw is None else str(raw).strip()
        if not text or text.lower() == "nan":
            raise ValueError(t("the label is empty"))
        return text

    def learn(self, labels: Sequence[Label]) -> None:
        if self.options.class_weights == "balanced":
            counts = np.bincount(self.targets(labels), minlength=len(self.labels))
            self._weights = (len(labels) / (len(self.labels) * np.maximum(counts, 1))).tolist()

    def targets(self, labels: Sequence[Label]) -> np.ndarray[Any, Any]:
        try:
            return np.array([self._number[str(label)] for label in labels], dtype=np.int64)
        except KeyError as error:
            raise DataError(
                t("The label {label} is not one the model has learnt.", label=repr(error.args[0])),
                t("Known labels: {known}.", known=", ".join(self.labels[:20])),
            ) from None

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        from torch.nn.functional import cross_entropy

        weights = None if self._weights is None else logits.new_tensor(self._weights)
        return cross_entropy(
            logits, targets, weight=weights, label_smoothing=self.options.label_smoothing, reduction="none"
        )

    def divergence(self, logits: Tensor, others: Tensor) -> Tensor:
        ours, theirs = logits.log_softmax(dim=1), others.log_softmax(dim=1)
        return (ours.exp() * (ours - theirs)).sum(dim=1)

    def scores(self, logits: FloatArray) -> FloatArray:
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32)

    def decide(self, scores: FloatArray) -> list[Label]:
        return [self.labels[number] for number in scores.argmax(axis=1)]

    def metrics(self, labels: Sequence[Label], scores: FloatArray) -> dict[str, float]:
        from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

        truth, answer = self.targets(labels), scores.argmax(axis=1)
        classes = range(len(self.labels))
        return {
            "accuracy": float(accuracy_score(truth, answer)),
            "macro_f1": float(f1_score(truth, answer, labels=classes, average="macro", zero_division=0)),
            "weighted_f1": float(f1_score(truth, answer, labels=classes, average="weighted", zero_division=0)),
            "mcc": float(matthews_corrcoef(truth, answer)) if len({*truth, *answer}) > 1 else 0.0,
        }
