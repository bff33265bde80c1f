"""Do two texts match? Each is read by itself, so that vectors can be kept and compared by the million."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.examples import Input, Label
from tuneloop.tasks.base import TaskOptions
from tuneloop.tasks.classification import Classification
from tuneloop.tasks.embedding import EmbeddingTask

if TYPE_CHECKING:
    from torch import Tensor

    from tuneloop.data.tokens import Tokens
    from tuneloop.tasks.base import FloatArray


class SimilarityOptions(TaskOptions):
    """Options of matching by vectors."""

    match: str = Field("", description="The class of pairs that match; the second in alphabetical order by default.")
    sharpness: float = Field(10.0, gt=0, description="How steeply the probability rises with the cosine.")


class Similarity(EmbeddingTask):
    """Matching of pairs by a bi-encoder: P(match) = sigmoid(sharpness x (cosine - threshold)).

    Reimers and Gurevych, "Sentence-BERT" (2019), with the logistic loss on the cosine. Sharpness and threshold are
    fitted anew on dev after training: Platt, "Probabilistic Outputs for Support Vector Machines" (1999). For more
    than two classes read the pair together: task pair.
    """

    name = "similarity"
    Options = SimilarityOptions
    options: SimilarityOptions
    problem_type = "single_label_classification"
    calibrates = True
    primary_metric = "macro_f1"

    def __init__(self, options: TaskOptions, state: Mapping[str, Any]) -> None:
        super().__init__(options, state)
        if len(self.labels) > 2:
            raise DataError(
                t("The task similarity knows two classes, but there are {count}.", count=len(self.labels)),
                t("Set task: pair, which reads both texts together."),
            )
        self.sharpness = float(state.get("sharpness", self.options.sharpness))
        self.threshold = float(state.get("threshold", 0.5))
        self._classes = Classification(Classification.Options(), state)
        match = self.options.match or self.labels[-1]
        if match not in self.labels:
            raise DataError(
                t("task.match is {match!r}, which is no class.", match=match),
                t("Known labels: {known}.", known=", ".join(self.labels)),
            )
        self._match = self.labels.index(match)

    @property
    def score_columns(self) -> int | None:
        return 2

    @classmethod
    def parse_label(cls, raw: Any) -> Label:
        return Classification.parse_label(raw)

    @property
    def state(self) -> dict[str, Any]:
        return super().state | {"sharpness": self.sharpness, "threshold": self.threshold}

    def targets(self, labels: Sequence[Label]) -> np.ndarray[Any, Any]:
        return self._classes.targets(labels)

    def aligned(self, labels: Sequence[Label], tokens: Tokens, inputs: Sequence[Input]) -> np.ndarray[Any, Any]:
        """Of each text whether its pair matches, int64, (texts,)."""
        return np.repeat((self.targets(labels) == self._match).astype(np.int64), 2)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of each pair, half of it at each of its texts."""
        from torch.nn.functional import binary_cross_entropy_with_logits, cosine_similarity

        cosines = cosine_similarity(logits[0::2], logits[1::2])
        wanted = targets[0::2].to(cosines.dtype)
        losses = binary_cross_entropy_with_logits(self.sharpness * (cosines - self.threshold), wanted, reduction="none")
        return losses.repeat_interleave(2)

    def answers(self, logits: FloatArray, tokens: Tokens, inputs: Sequence[Input]) -> FloatArray:
        match = 0.5 * (1 + np.tanh(0.5 * self.sharpness * (self._cosines(logits, tokens) - self.threshold)))
        both = np.stack([1 - match, match], axis=1).astype(np.float32)
        return both if self._match == 1 else both[:, ::-1].copy()

    def calibrate(self, logits: FloatArray, tokens: Tokens, labels: Sequence[Label]) -> None:
        """Fit sharpness and threshold on rows that the model was not trained on; a model that errs stays rising."""
        from sklearn.linear_model import LogisticRegression

        cosines, matches = self._cosines(logits, tokens)[:, None], self.targets(labels) == self._match
        if matches.all() or not matches.any():
            return
        fitted = LogisticRegression(C=1e3, max_iter=1000).fit(cosines.astype(np.float64), matches)
        if (slope := float(fitted.coef_[0, 0])) > 0:
            self.sharpness, self.threshold = slope, float(-fitted.intercept_[0] / slope)

    def decide(self, scores: FloatArray) -> list[Label]:
        return self._classes.decide(scores)

    def metrics(self, labels: Sequence[Label], scores: FloatArray) -> dict[str, float]:
        return self._classes.metrics(labels, scores)

    def _cosines(self, logits: FloatArray, tokens: Tokens) -> Any:
        first, second = self.vectors(logits, tokens)
        return (first * second).sum(axis=1)
