"""The official figures of a benchmark task, each with its bootstrap interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.evaluation.counts import Counts
from tuneloop.evaluation.intervals import Figure, bootstrap, figure
from tuneloop.evaluation.means import Means
from tuneloop.evaluation.metrics import Family, headline_family, measure_classes
from tuneloop.evaluation.names import metric_name
from tuneloop.suites import cmrc

if TYPE_CHECKING:
    from tuneloop.data.examples import Label
    from tuneloop.tasks.base import FloatArray, Task

F1_OF = "f1_of_"
"""Before a class: the F1 of that class alone, which is what MRPC and QQP call F1."""


def official_figures(
    metrics: Sequence[str], task: Task, labels: Sequence[Label], scores: FloatArray, *, resamples: int, seed: int
) -> dict[str, Figure]:
    """The figures by name, in the order of `metrics`."""
    found: dict[str, Figure] = {}
    families: list[Family] = [headline_family(task, labels, scores)]
    if any(name.startswith("cmrc_") for name in metrics):
        families.append(Means(cmrc.row_figures(labels, task.decide(scores))))
    for family in families:
        values = family.values()
        if values.keys() & set(metrics):
            samples = bootstrap(family.resample, rows=len(labels), resamples=resamples, seed=seed)
            found |= {name: figure(name, values[name], samples[name]) for name in values if name in samples}
    if any(name.startswith(F1_OF) for name in metrics):
        found |= _of_classes(task, labels, scores, resamples=resamples, seed=seed)
    return {name: found[name] for name in metrics}


def figure_name(metric: str) -> str:
    """The name for people."""
    if metric.startswith(F1_OF):
        return t("F1 of class {label}", label=metric.removeprefix(F1_OF))
    names = {"cmrc_exact_match": t("exact match"), "cmrc_f1": t("F1 of the longest shared run")}
    return names.get(metric) or metric_name(metric)


def _of_classes(
    task: Task, labels: Sequence[Label], scores: FloatArray, *, resamples: int, seed: int
) -> dict[str, Figure]:
    classes = measure_classes(Counts(task, labels, scores), resamples=resamples, seed=seed)
    return {
        F1_OF + row["label"]: Figure(
            *(np.nan if row["f1"][key] is None else row["f1"][key] for key in ("value", "low", "high"))
        )
        for row in classes
    }
