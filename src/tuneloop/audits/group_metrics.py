"""Figures of the groups that a column of the data names, and how far they lie apart."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from tuneloop.audits.base import Figure, Finding, Subject
from tuneloop.core.errors import ConfigError, MissingExtraError
from tuneloop.core.i18n import t
from tuneloop.data.examples import Examples

FEWEST = 10
"""Rows of a group that is compared."""

RESAMPLES = 200
SURE = 0.01

Array = np.ndarray[Any, np.dtype[Any]]


def group_metrics(subject: Subject, column: str) -> tuple[dict[str, Figure], list[Finding]]:
    """How far accuracy, share of answers (selection rate) and recall of each class differ between groups.

    The differences are those of fairlearn's MetricFrame with bootstrap intervals; as the largest of several, a
    difference is above 0 by chance alone, so a finding needs a chi-squared test of right answers by group.

    Raises:
        ConfigError: if the data has no such column, or it names no two groups.
        MissingExtraError: if fairlearn is not installed.
    """
    test = subject.test
    rows, names = _grouped(test, column)
    answers = [str(answer) for answer in subject.task.decide(subject.model.scores(test.inputs))]
    labels = [str(label) for label in test.labels]
    frame = _frame(
        np.array([labels[row] for row in rows]), np.array([answers[row] for row in rows]), np.array(names), subject
    )
    low, high = frame.difference_ci()
    differences = frame.difference()
    figures = {
        f"{name}.{column}" if name == "accuracy_gap" else f"{name.replace(':', f'.{column}.')}": Figure(
            _finite(differences[name]), _finite(low[name]), _finite(high[name]), len(rows)
        )
        for name in differences.index
    }
    right = np.array([labels[row] == answers[row] for row in rows])
    by_group = {
        group: {"accuracy": float(right[np.array(names) == group].mean()), "rows": count}
        for group, count in sorted(Counter(names).items())
    }
    p = _p(right, np.array(names))
    fields = {"column": column, "groups": by_group, "difference": float(differences["accuracy_gap"]), "p": p}
    return figures, [Finding("gap", fields)] if p < SURE else []


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


def _frame(labels: Array, answers: Array, groups: Array, subject: Subject) -> Any:
    try:
        from fairlearn.metrics import MetricFrame
    except ImportError as error:
        raise MissingExtraError("fairlearn", extra="audit") from error

    metrics: dict[str, Any] = {"accuracy_gap": lambda meant, given: float(np.mean(meant == given))}
    for label in subject.task.labels:
        metrics[f"selection_gap:{label}"] = lambda meant, given, label=label: float(np.mean(given == label))
        if (labels == label).sum() >= FEWEST:
            metrics[f"recall_gap:{label}"] = lambda meant, given, label=label: _recall(meant, given, label)
    return MetricFrame(
        metrics=metrics, y_true=labels, y_pred=answers, sensitive_features=groups, n_boot=RESAMPLES,
        ci_quantiles=[0.025, 0.975], random_state=subject.seed,
    )  # fmt: skip


def _recall(meant: Any, given: Any, label: str) -> float:
    own = np.asarray(meant) == label
    return float((np.asarray(given)[own] == label).mean()) if own.any() else float("nan")


def _p(right: Array, groups: Array) -> float:
    from scipy.stats import chi2_contingency

    table = np.array([[(right & (groups == name)).sum(), (~right & (groups == name)).sum()] for name in set(groups)])
    if (table.sum(axis=0) == 0).any():
        return 1.0
    return float(chi2_contingency(table).pvalue)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
