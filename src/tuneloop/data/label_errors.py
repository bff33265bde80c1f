"""Labels that are probably wrong: those that a cheap model, trained without the row, finds unlikely.

Confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in
Dataset Labels", 2021) through cleanlab, on out-of-fold probabilities of TF-IDF and logistic
regression. A suspicion, not a verdict: the list is for reading.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.data.bag_of_words import vectorizer
from tuneloop.data.examples import Input, Label

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FOLDS = 5
MIN_ROWS = 50
MAX_ROWS = 40_000
"""More rows are sampled: the check must stay a matter of seconds."""

MAX_CELLS = 2_000_000
"""Rows times classes at most, as the time grows with both."""

MAX_FEATURES = 50_000
FAR_RESIDUAL = 4.0
"""Robust standard deviations from which a number is suspected."""

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Suspect:
    """A row whose label may be wrong.

    Args:
        row: its number among the examined inputs.
        suggested: what the cheap model would say.
        score: how well the label fits, from 0 (not at all) to 1.
    """

    row: int
    suggested: Label
    score: float


@dataclass(frozen=True)
class Suspects:
    """The suspected rows, the most suspicious first; how many rows were examined, a sample of how many."""

    found: list[Suspect]
    examined: int
    drawn_from: int = 0


def suspected_labels(inputs: Sequence[Input], labels: Sequence[Label], *, seed: int) -> Suspects:
    """Rows whose label is probably wrong.

    Args:
        inputs: texts or pairs.
        labels: one kind for all: classes, several classes, or numbers.
        seed: of the folds, and of the sample where there are too many rows.
    """
    rows, drawn_from = _examined(labels, seed)
    if len(rows) < MIN_ROWS:
        return Suspects([], 0)
    features = _features([inputs[row] for row in rows])
    chosen = [labels[row] for row in rows]
    if features is None:
        return Suspects([], 0)
    with _quiet():
        kind = type(chosen[0])
        judge = {tuple: _several_classes, float: _numbers}.get(kind, _one_class)
        found = judge(features, chosen, seed)
    if found is None:
        return Suspects([], 0)
    return Suspects([Suspect(rows[number], label, score) for number, label, score in found], len(rows), drawn_from)


def _examined(labels: Sequence[Label], seed: int) -> tuple[list[int], int]:
    """Rows with a label frequent enough for every fold, sampled if there are many; and how many they are in all."""
    rows = list(range(len(labels)))
    limit = MAX_ROWS
    if labels and isinstance(labels[0], str):
        counts = Counter(labels)
        rows = [row for row in rows if counts[labels[row]] >= 2 * FOLDS]
        frequent = sum(1 for count in counts.values() if count >= 2 * FOLDS)
        if frequent < 2:
            return [], 0
        limit = min(limit, MAX_CELLS // frequent)
    frequent_rows = len(rows)
    if frequent_rows > limit:
        sample = np.random.default_rng(seed).choice(len(rows), size=limit, replace=False)
        rows = [rows[number] for number in np.sort(sample)]
    return rows, frequent_rows


def _features(inputs: Sequence[Input]) -> csr_matrix | None:
    words = vectorizer(inputs).set_params(min_df=2, max_features=MAX_FEATURES, dtype=np.float32)
    try:
        return words.fit_transform(inputs)
    except ValueError:  # not one word occurs twice
        return None


def _one_class(features: csr_matrix, labels: Sequence[Label], seed: int) -> list[tuple[int, Label, float]]:
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    names, targets = np.unique(np.array(labels, dtype=object).astype(str), return_inverse=True)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    model = LogisticRegression(C=4.0, max_iter=50)
    probabilities = cross_val_predict(model, features, targets, cv=folds, method="predict_proba")
    wrong = find_label_issues(targets, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    scores = get_label_quality_scores(targets, probabilities)
    answers = probabilities.argmax(axis=1)
    return [(int(row), str(names[answers[row]]), float(scores[row])) for row in wrong]


def _several_classes(features: csr_matrix, labels: Sequence[Label], seed: int) -> list[tuple[int, Label, float]] | None:
    """Suspects; None where fewer than two classes stand with some rows and not with others."""
    from cleanlab.multilabel_classification import get_label_quality_scores
    from cleanlab.multilabel_classification.filter import find_label_issues
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.preprocessing import MultiLabelBinarizer

    binarizer = MultiLabelBinarizer()
    targets = binarizer.fit_transform(labels)
    # a class that all rows have is no question, and one class alone is none of several
    frequent = np.flatnonzero(np.minimum(often := targets.sum(axis=0), len(targets) - often) >= 2 * FOLDS)
    if len(frequent) < 2:
        return None
    names, targets = binarizer.classes_[frequent], targets[:, frequent]
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    model = OneVsRestClassifier(LogisticRegression(C=4.0, max_iter=50))
    probabilities = cross_val_predict(model, features, targets, cv=folds, method="predict_proba")
    given = [np.flatnonzero(row).tolist() for row in targets]
    wrong = find_label_issues(given, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    scores = get_label_quality_scores(given, probabilities)
    return [
        (int(row), tuple(str(name) for name in names[probabilities[row] >= 0.5]), float(scores[row])) for row in wrong
    ]


def _numbers(features: csr_matrix, labels: Sequence[Label], seed: int) -> list[tuple[int, Label, float]]:
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold, cross_val_predict

    values = np.array(labels, dtype=np.float64)
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    answers = cross_val_predict(Ridge(solver="lsqr"), features, values, cv=folds)
    distance = np.abs(values - answers)
    # the median absolute deviation of a normal distribution is 0.6745 of its standard deviation
    spread = float(np.median(distance)) / 0.6745 or 1.0
    far = np.flatnonzero(distance > FAR_RESIDUAL * spread)
    far = far[np.argsort(-distance[far], kind="stable")]
    return [(int(row), float(answers[row]), float(np.exp(-distance[row] / spread))) for row in far]


@contextmanager
def _quiet() -> Iterator[None]:
    """One thread, as threads wait for each other in products this small; and no words about unconverged fits."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
