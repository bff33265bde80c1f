"""One evaluation: everything that can be said about a model's answers on the test split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import DataError, ModelError
from tuneloop.core.i18n import t
from tuneloop.data.text_statistics import scripts
from tuneloop.evaluation.calibration import BINS, Calibration
from tuneloop.evaluation.counts import Counts
from tuneloop.evaluation.errors import worst_errors
from tuneloop.evaluation.faithful import contexts_of
from tuneloop.evaluation.intervals import LEVEL, Figure
from tuneloop.evaluation.metrics import measure, measure_classes, measure_references, ranking_resamples
from tuneloop.evaluation.names import model_name
from tuneloop.evaluation.paired import Comparison, compare
from tuneloop.evaluation.slices import Slice, slices
from tuneloop.evaluation.written import bleu_signature, samples

if TYPE_CHECKING:
    from tuneloop.core.config import EvaluationConfig
    from tuneloop.data.examples import Examples, Label
    from tuneloop.tasks.base import FloatArray, Task

BASE = "base"
"""The baseline that is the pretrained model itself, before it was tuned."""

MOST_POINTS = 500
"""Rows of a regression that the report draws."""

Figures = dict[str, Figure]


@dataclass(frozen=True)
class Evaluation:
    """What was measured on one split.

    Args:
        split: which split, "test".
        rows: how many rows it has.
        task: the task's type, classes and primary metric.
        settings: seed, resamples, level of the intervals.
        metrics: the model's figures.
        baselines: the figures of each baseline.
        reference: name and figures of the model to beat, usually the release before; None without one.
        answers: how far the reference answers themselves keep to their context; for written texts.
        comparisons: the model against each baseline and the reference, by name.
        per_class: figures of each class; empty for numbers, and so the next two.
        confusion: how often each class was given for each.
        calibration: data of the reliability plot.
        slices: one figure on parts of the split.
        worst_errors: the most confident mistakes.
        samples: some prompts with their reference, the answer, and that of the model before tuning; for written texts.
        fit: labels and answers of some rows of a regression, for a plot.
        truncated: how many texts were longer than the model reads; None if unknown.
        scripts: share of the texts in each script.
        rules: what rules did to the answers; None without rules.
    """

    split: str
    rows: int
    task: dict[str, Any]
    settings: dict[str, Any]
    metrics: Figures
    baselines: dict[str, Figures]
    reference: tuple[str, Figures] | None
    answers: Figures
    comparisons: dict[str, Comparison]
    per_class: list[dict[str, Any]]
    confusion: dict[str, Any] | None
    calibration: dict[str, Any] | None
    slices: list[Slice]
    worst_errors: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    fit: dict[str, list[float]] | None
    truncated: int | None
    scripts: dict[str, float]
    rules: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: what evaluation.json holds and the report is made from."""
        reference = self.reference and {"name": self.reference[0], "metrics": _figures(self.reference[1])}
        return {
            "version": 1,
            "split": self.split,
            "rows": self.rows,
            "task": self.task,
            "settings": self.settings,
            "metrics": _figures(self.metrics),
            "baselines": {name: _figures(figures) for name, figures in self.baselines.items()},
            "reference": reference,
            "answers": _figures(self.answers),
            "comparisons": [_against(name, found) for name, found in self.comparisons.items()],
            "per_class": self.per_class,
            "confusion": self.confusion,
            "calibration": self.calibration,
            "slices": [part.to_json() for part in self.slices],
            "worst_errors": self.worst_errors,
            "samples": self.samples,
            "fit": self.fit,
            "truncated": self.truncated,
            "scripts": self.scripts,
        } | ({"rules": self.rules} if self.rules else {})


def evaluate(
    *,
    task: Task,
    examples: Examples,
    scores: FloatArray,
    baselines: Mapping[str, FloatArray],
    reference: tuple[str, FloatArray] | None,
    config: EvaluationConfig,
    seed: int,
    truncated: Sequence[bool] | None,
    split: str = "test",
    alone: FloatArray | None = None,
    rules: dict[str, Any] | None = None,
) -> Evaluation:
    """Measure a model's scores on `examples`, beside baselines and a reference that answered the same rows.

    Args:
        scores: what the task decides by: see `Task.answers`.
        baselines: scores by name, such as "majority" and "tfidf".
        reference: name and scores of the model to beat.
        truncated: which texts were longer than the model reads.
        alone: scores of the model before rules, where there are any; `scores` then say the final answers.
        rules: what they did: `evaluation.rules.rules_section`.

    Raises:
        DataError: if the split is empty, a label is unknown, or a column to slice by is missing.
        ModelError: if scores are not finite or not one row per example.
    """
    own = scores if alone is None else alone
    others = dict(baselines) | (dict([reference]) if reference else {})
    for name, found in {"model": own, **others}.items():
        _check(name, found, examples, task)
    labels, resamples = examples.labels, config.resamples
    contexts = contexts_of(examples, config.context) if task.generates else None
    figures = {
        name: measure(task, labels, found, resamples=resamples, seed=seed, contexts=contexts)
        for name, found in others.items()
    }
    figures[""] = measure(task, labels, scores, resamples=resamples, seed=seed, contexts=contexts, probabilities=own)
    counts = Counts(task, labels, scores) if task.has_classes else None
    return Evaluation(
        split=split,
        rows=len(examples),
        task={"type": task.name, "problem_type": task.problem_type, "labels": list(task.labels)}
        | {"primary_metric": task.primary_metric},
        settings=_settings(task, labels, config, seed=seed),
        metrics=figures[""],
        baselines={name: figures[name] for name in baselines},
        reference=(reference[0], figures[reference[0]]) if reference else None,
        answers={} if contexts is None else measure_references(labels, contexts, resamples=resamples, seed=seed),
        comparisons={
            name: compare(task, labels, scores, found, seed=seed, resamples=resamples) for name, found in others.items()
        },
        per_class=measure_classes(counts, resamples=resamples, seed=seed) if counts else [],
        confusion=counts.confusion() if counts and task.has_probabilities else None,
        calibration=_calibration(task, examples, own) if task.has_probabilities else None,
        slices=slices(
            task, examples, scores, columns=config.slices, truncated=truncated, resamples=resamples, seed=seed
        ),
        worst_errors=worst_errors(task, examples, scores, own),
        samples=samples(examples, scores, baselines.get(BASE)) if task.generates else [],
        fit=_fit(examples, scores, seed) if task.problem_type == "regression" else None,
        truncated=None if truncated is None else int(np.sum(truncated)),
        scripts=scripts(examples.texts),
        rules=rules,
    )


def _check(name: str, scores: FloatArray, examples: Examples, task: Task) -> None:
    if not len(examples):
        raise DataError(t("The test split is empty."), t("Give data.split.test a larger share, or name data.test."))
    if task.score_columns is None and len(scores) == len(examples):
        if task.generates:
            _check_finite(name, np.array([each.log_likelihood or 0.0 for each in scores], np.float64))
        return
    if scores.shape != (len(examples), task.score_columns):
        raise ModelError(
            t(
                "The scores of {name} are of shape {shape}, but {rows} rows with {outputs} values are wanted.",
                name=name,
                shape=scores.shape,
                rows=len(examples),
                outputs=task.score_columns or "?",
            ),
            t("Let the model answer every row of the test split once."),
        )
    _check_finite(name, scores)


def _check_finite(name: str, numbers: Any) -> None:
    if not np.isfinite(numbers).all():
        raise ModelError(
            t("The scores of {name} are not all finite numbers.", name=name),
            t("The training has diverged: lower training.learning_rate and tune again."),
        )


def _settings(task: Task, labels: Sequence[Label], config: EvaluationConfig, *, seed: int) -> dict[str, Any]:
    resamples = config.resamples
    ranking = ranking_resamples(len(labels), classes=len(task.labels), resamples=resamples)
    found: dict[str, Any] = {"seed": seed, "level": LEVEL, "resamples": resamples, "ranking_resamples": ranking}
    if task.generates:
        found |= {"bleu": bleu_signature(list(map(str, labels))), "context": config.context}
        found |= {"constraint": task.options.constraint.given}  # type: ignore[attr-defined]
    return found


def _calibration(task: Task, examples: Examples, scores: FloatArray) -> dict[str, Any]:
    found = Calibration(task, examples.labels, scores)
    kind = "decision" if found.per_decision else "top label"
    return {"kind": kind, "bins": BINS, "reliability": found.reliability()}


def _fit(examples: Examples, scores: FloatArray, seed: int) -> dict[str, list[float]]:
    rows = np.random.default_rng(seed).permutation(len(examples))[:MOST_POINTS]
    return {"label": np.array(examples.labels)[rows].tolist(), "answer": scores[rows, 0].tolist()}


def _against(name: str, found: Comparison) -> dict[str, Any]:
    sentence = found.sentence(t("The model"), model_name(name))
    return {"against": name} | found.to_json() | {"sentence": sentence}


def _figures(figures: Figures) -> dict[str, dict[str, float | None]]:
    return {name: found.to_json() for name, found in figures.items()}
