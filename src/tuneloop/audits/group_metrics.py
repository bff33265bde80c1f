"""Figures of the groups that a column of the data names, and how far they lie apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tuneloop.audits.answers import answers as answers_to
from tuneloop.audits.base import Figure, Finding, Subject
from tuneloop.core.errors import ConfigError, MissingExtraError
from tuneloop.core.i18n import t
from tuneloop.data.examples import Examples, Label
from tuneloop.evaluation.intervals import draws, interval

FEWEST = 10
"""Rows of a group that is compared."""

RESAMPLES = 1000
SURE = 0.01

Array = np.ndarray[Any, np.dtype[Any]]


def group_metrics(subject: Subject, column: str) -> tuple[dict[str, Figure], list[Finding]]:
    """How far accuracy, share of answers (selection rate) and recall of each class differ between groups.

    The differences are those of fairlearn's MetricFrame, with bootstrap intervals; as the largest of several, a
    difference is above 0 by chance alone, so a finding needs a chi-squared test of right answers by group.

    Raises:
        ConfigError: if the data has no such column, or it names no two groups.
        MissingExtraError: if fairlearn is not installed.
    """
    test = subject.test
    rows, names = _grouped(test, column)
    given = answers_to(subject.model, test.inputs, subject.model.scores(test.inputs))
    answers, labels = (_members([each[row] for row in rows], subject.task.labels) for each in (given, test.labels))
    groups = np.array(names)
    events = _events(labels, answers, subject.task.labels)
    differences = _differences(events, groups)
    figures = {}
    for (kind, label), (hit, of) in events.items():
        low, high = _interval(hit, of, groups, subject)
        name = f"{kind}.{column}.{label}" if label else f"{kind}.{column}"
        figures[name] = Figure(_finite(differences[kind, label]), low, high, int(of.sum()))
    right = (labels == answers).all(axis=1)
    by_group = {
        group: {"accuracy": float(right[groups == group].mean()), "rows": count}
        for group, count in sorted(Counter(names).items())
    }
    p = _p(right, groups)
    fields = {"column": column, "groups": by_group, "difference": float(differences["accuracy_gap", ""]), "p": p}
    return figures, [Finding("gap", fields)] if p < SURE else []


def _members(answers: Sequence[Label], classes: Sequence[str]) -> Array:
    """Which classes each answer gives: one, or of a task with several all that it names; bool, (rows, classes)."""
    return np.array([[label in _classes(each) for label in classes] for each in answers], dtype=bool)


def _classes(answer: Label) -> tuple[Any, ...]:
    return answer if isinstance(answer, tuple) else (str(answer),)


def check_column(subject: Subject, column: str) -> None:
    """Refuse a column without groups before anything is asked.

    Raises:
        ConfigError: if the data has no such column, or it names no two groups.
    """
    _grouped(subject.test, column)


def _events(labels: Array, answers: Array, classes: Sequence[str]) -> dict[tuple[str, str], tuple[Array, Array]]:
    """Of each figure and class what is counted, and among which rows, 0 or 1, (rows,) each.

    A row is right if all its classes are.
    """
    every = np.ones(len(labels))
    found = {("accuracy_gap", ""): ((labels == answers).all(axis=1) * 1.0, every)}
    for column, label in enumerate(classes):
        own = labels[:, column] * 1.0
        found["selection_gap", label] = answers[:, column] * 1.0, every
        if own.sum() >= FEWEST:
            found["recall_gap", label] = own * answers[:, column], own
    return found


def _interval(hit: Array, of: Array, groups: Array, subject: Subject) -> tuple[float | None, float | None]:
    """The 95 % bootstrap interval of the largest difference between two groups."""
    member = (groups[:, None] == np.unique(groups)[None]) * 1.0
    gaps = []
    for weights in draws(len(hit), resamples=RESAMPLES, seed=subject.seed):
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = (weights * hit) @ member / ((weights * of) @ member)
        gaps.append(shares.max(axis=1) - shares.min(axis=1))
    low, high = interval(np.concatenate(gaps))
    return _finite(float(low)), _finite(float(high))


def _grouped(test: Examples, column: str) -> tuple[list[int], list[str]]:
    if column not in test.columns:
        raise ConfigError(
            t("audit fairness: the data has no column {column!r}.", column=column),
            t("Choose one of: {known}.", known=", ".join(test.columns)),
        )
    values = [str(value) for value in test.columns[column]]
    counts = Counter(value for value, raw in zip(values, test.columns[column], strict=True) if raw is not None)
    large = {value for value, count in counts.items() if count >= FEWEST}
    if len(large) < 2:
        raise ConfigError(
            t("audit fairness: the column {column!r} names fewer than two groups of {count} test rows.",
              column=column, count=FEWEST),
            t("Name a column with few different values, or look at more rows: --rows."),
        )  # fmt: skip
    rows = [row for row, value in enumerate(values) if value in large]
    return rows, [values[row] for row in rows]


def _differences(events: Mapping[tuple[str, str], tuple[Array, Array]], groups: Array) -> Any:
    """The largest difference of each figure between two groups, by figure and class."""
    try:
        from fairlearn.metrics import MetricFrame
    except ImportError as error:
        raise MissingExtraError("fairlearn", extra="audit") from error

    def metric(hit: Array, of: Array) -> Callable[[Any, Any], float]:
        return lambda rows, _: _share(hit[np.asarray(rows)], of[np.asarray(rows)])

    metrics = {f"{kind}:{label}": metric(*counted) for (kind, label), counted in events.items()}
    rows = np.arange(len(groups))
    found = MetricFrame(metrics=metrics, y_true=rows, y_pred=rows, sensitive_features=groups).difference()
    return {(kind, label): found[f"{kind}:{label}"] for kind, label in events}


def _share(hit: Array, of: Array) -> float:
    return float(hit.sum() / of.sum()) if of.any() else float("nan")


def _p(right: Array, groups: Array) -> float:
    from scipy.stats import chi2_contingency

    table = np.array([[(right & (groups == name)).sum(), (~right & (groups == name)).sum()] for name in set(groups)])
    if (table.sum(axis=0) == 0).any():
        return 1.0
    return float(chi2_contingency(table).pvalue)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
