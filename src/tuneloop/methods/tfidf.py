"""Words and word pairs with a linear model: what a text gives away without a pretrained model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.data.bag_of_words import vectorizer
from tuneloop.methods.base import Baseline, BaselineModel
from tuneloop.methods.majority import Majority

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples, Input
    from tuneloop.tasks.base import FloatArray, Task


class Tfidf(Baseline):
    """TF-IDF with logistic regression, one per class for several labels, Ridge for numbers.

    Texts without a single word, or training labels of one class only, leave nothing to learn:
    then the answer is that of the majority.
    """

    name = "tfidf"

    def fit(self, examples: Examples, task: Task, *, seed: int) -> BaselineModel:
        targets = task.targets(examples.labels)
        words = vectorizer(examples.inputs)
        try:
            features = words.fit_transform(examples.inputs)
        except ValueError:  # scikit-learn's "empty vocabulary"
            features = None
        if features is None or len(np.unique(targets, axis=0)) < 2:
            return Majority().fit(examples, task, seed=seed)
        estimator = _estimator(task, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a class that all rows have, or none, is answered as such
            estimator.fit(features, targets)
        return _Linear(self.name, task, words, estimator)


class _Linear(BaselineModel):
    def __init__(self, name: str, task: Task, words: Any, estimator: Any) -> None:
        super().__init__(name, task)
        self.words, self.estimator = words, estimator

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        if not len(inputs):
            return np.zeros((0, self.task.score_columns), np.float32)
        features = self.words.transform(inputs)
        if not self.task.has_classes:
            return self.task.unscale(self.estimator.predict(features).reshape(-1, 1))
        scores = np.zeros((len(inputs), self.task.score_columns), np.float32)
        # a class that train lacks has no column and keeps probability 0
        scores[:, self.estimator.classes_] = self.estimator.predict_proba(features)
        return scores


def _estimator(task: Task, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multiclass import OneVsRestClassifier

    if not task.has_classes:
        return Ridge(random_state=seed)
    weights = "balanced" if getattr(task.options, "class_weights", "none") == "balanced" else None
    logistic = LogisticRegression(C=10.0, max_iter=1000, class_weight=weights, random_state=seed)
    one_class = task.problem_type == "single_label_classification"
    return logistic if one_class else OneVsRestClassifier(logistic)
