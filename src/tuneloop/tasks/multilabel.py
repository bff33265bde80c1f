"""Any number of classes for one text: topics, complaints, symptoms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
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

MAX_POSITIVE_WEIGHT = 20.0


class MultiLabelOptions(TaskOptions):
    """Options of multi-label classification."""

    threshold: float = Field(0.5, gt=0, lt=1, description="Probability from which a class is given.")
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: the rare side of each class counts more (at most 20 times)."
    )


class MultiLabel(Task):
    """One sigmoid and binary cross-entropy per class."""

    name = "multilabel"
    Options = MultiLabelOptions
    problem_type = "multi_label_classification"
    primary_metric = "micro_f1"
    options: MultiLabelOptions

    def __init__(self, options: TaskOptions, state: Mapping[str, Any]) -> None:
        super().__init__(options, state)
        self._number = {label: number for number, label in enumerate(self.labels)}
        self._weights: list[float] | None = None

    @classmethod
    def parse_label(cls, raw: Any) -> Label:
        """Classes from a list, a JSON list, or a cell such as `price; delivery`; an empty cell is no class."""
        if raw is None or isinstance(raw, float):
            raise ValueError(t("the labels are missing (write an empty text for none)"))
        return tuple(sorted({str(item).strip() for item in _items(raw)} - {""}))

    @classmethod
    def label_names(cls, labels: Iterable[Label]) -> list[str]:
        return sorted({name for label in labels for name in _classes(label)})

    @property
    def has_temperature(self) -> bool:
        return self.options.threshold == 0.5

    def learn(self, labels: Sequence[Label]) -> None:
        if self.options.class_weights == "balanced":
            positive = self.targets(labels).sum(axis=0)
            ratio = (len(labels) - positive) / np.maximum(positive, 1)
            self._weights = np.clip(ratio, 1 / MAX_POSITIVE_WEIGHT, MAX_POSITIVE_WEIGHT).tolist()

    def targets(self, labels: Sequence[Label]) -> np.ndarray[Any, Any]:
        matrix = np.zeros((len(labels), len(self.labels)), dtype=np.float32)
        for row, label in enumerate(labels):
            for name in _classes(label):
                if name not in self._number:
                    raise DataError(
                        t("The label {label} is not one the model has learnt.", label=repr(name)),
                        t("Known labels: {known}.", known=", ".join(self.labels[:20])),
                    )
                matrix[row, self._number[name]] = 1
        return matrix

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        from torch.nn.functional import binary_cross_entropy_with_logits

        weights = None if self._weights is None else logits.new_tensor(self._weights)
        return binary_cross_entropy_with_logits(logits, targets, pos_weight=weights, reduction="none").mean(dim=1)

    def divergence(self, logits: Tensor, others: Tensor) -> Tensor:
        """That of one Bernoulli variable per class, averaged over the classes as the loss is."""
        from torch.nn.functional import logsigmoid

        yes, no = logits.sigmoid(), (-logits).sigmoid()
        of_yes, of_no = logsigmoid(logits) - logsigmoid(others), logsigmoid(-logits) - logsigmoid(-others)
        return (yes * of_yes + no * of_no).mean(dim=1)

    def scores(self, logits: FloatArray) -> FloatArray:
        # tanh never overflows, unlike exp of a large negative logit
        return (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)

    def decide(self, scores: FloatArray) -> list[Label]:
        chosen = scores >= self.options.threshold
        return [tuple(name for name, given in zip(self.labels, row, strict=True) if given) for row in chosen]

    def sureness(self, labels: Sequence[Label], scores: FloatArray) -> Any:
        return np.abs(scores - self.targets(labels)).max(axis=1)

    def metrics(self, labels: Sequence[Label], scores: FloatArray) -> dict[str, float]:
        from sklearn.metrics import f1_score

        truth, answer = self.targets(labels), scores >= self.options.threshold
        return {
            "micro_f1": float(f1_score(truth, answer, average="micro", zero_division=0)),
            "macro_f1": float(f1_score(truth, answer, average="macro", zero_division=0)),
            "weighted_f1": float(f1_score(truth, answer, average="weighted", zero_division=0)),
            "subset_accuracy": float((truth == answer).all(axis=1).mean()),
        }


def _items(raw: Any) -> Iterable[Any]:
    if isinstance(raw, list | tuple):
        return list(raw)
    if not isinstance(raw, str):
        return [raw]
    text = raw.strip()
    if not text.startswith("["):
        return text.replace("|", ";").replace("；", ";").split(";")
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(t("the labels are not a valid JSON list")) from error
    return found if isinstance(found, list) else [found]


def _classes(label: Label) -> tuple[str, ...]:
    return label if isinstance(label, tuple) else (str(label),)
