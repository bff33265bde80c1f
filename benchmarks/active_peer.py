"""The strategies of small-text, with the same model, the same first texts and the same batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.active_data import Array, Part, head

NAMES = (
    "BreakingTies",
    "LeastConfidence",
    "PredictionEntropy",
    "ContrastiveActiveLearning",
    "GreedyCoreset",
    "EmbeddingKMeans",
    "DiscriminativeActiveLearning",
)
"""Strategies of small-text 1.4.1 for one class of several that need no network, beside random."""


def chosen_by_peer(
    name: str, pool: Part, first: Array, *, batch: int, top: int, seed: int, settings: str
) -> Iterator[tuple[Any, int]]:
    """The fitted model after every batch, and from how many labels."""
    from small_text import PoolBasedActiveLearner, SklearnClassifierFactory, SklearnDataset

    np.random.seed(seed)  # small-text draws from numpy's own generator
    data = SklearnDataset(pool.vectors, pool.classes, target_labels=np.unique(pool.classes))
    classes = len(np.unique(pool.classes))
    factory = _factory()(head(settings), classes)
    learner = PoolBasedActiveLearner(factory, _strategy(name, SklearnClassifierFactory(head(settings), 2)), data)
    learner.initialize_data(first, pool.classes[first])
    known = len(first)
    yield learner.classifier.model, known
    while known < top:
        rows = learner.query(num_samples=batch)
        learner.update(pool.classes[rows])
        known += len(rows)
        yield learner.classifier.model, known


def _strategy(name: str, two_classes: Any) -> Any:
    import small_text

    given: dict[str, Callable[[], Any]] = {
        "ContrastiveActiveLearning": lambda: small_text.ContrastiveActiveLearning(pbar=None),
        "DiscriminativeActiveLearning": lambda: small_text.DiscriminativeActiveLearning(two_classes, 10, pbar=None),
    }
    return given.get(name, getattr(small_text, name))()


def _factory() -> Any:
    """Makes scikit-learn classifiers that tell vectors, as its strategies of vectors want it."""
    from sklearn.base import clone
    from small_text import SklearnClassifier, SklearnClassifierFactory

    class Embedding(SklearnClassifier):  # type: ignore[misc]
        def embed(self, data_set: Any, return_proba: bool = False, **_: Any) -> Any:
            return (data_set.x, self.model.predict_proba(data_set.x)) if return_proba else data_set.x

    class Factory(SklearnClassifierFactory):  # type: ignore[misc]
        def new(self) -> Any:
            return Embedding(clone(self.base_estimator), self.num_classes)

    return Factory
