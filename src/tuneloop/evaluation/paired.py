"""Is one model better than another on the same rows, or can the data not tell?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.evaluation.intervals import CHUNK, LEVEL, Array, draws, interval
from tuneloop.evaluation.means import Means
from tuneloop.evaluation.metrics import Family, headline_family
from tuneloop.evaluation.names import decimals, metric_name
from tuneloop.evaluation.written import paired_likelihoods, texts_of
from tuneloop.tasks.written import chrf

if TYPE_CHECKING:
    from tuneloop.data.examples import Label
    from tuneloop.tasks.base import FloatArray, Task

BETTER, WORSE, UNCLEAR = "better", "worse", "cannot tell"


@dataclass(frozen=True)
class Difference:
    """How much two models, a and b, differ in one figure.

    Args:
        metric: which one.
        value_a: its value for a.
        value_b: its value for b.
        difference: a minus b.
        low: lower bound of the difference's 95 % interval.
        high: upper bound.
        p: how often a difference this large comes about if a and b are equally good.
        verdict: "better" (a than b), "worse" or "cannot tell".
    """

    metric: str
    value_a: float
    value_b: float
    difference: float
    low: float
    high: float
    p: float
    verdict: str


@dataclass(frozen=True)
class Comparison(Difference):
    """What the same rows say about two models, a and b: how they differ in the task's primary metric, and more.

    Args:
        rows: rows of the test split.
        changed: rows that got different answers, the largest change of a score first.
        only_a_right: rows that a alone answers rightly; None for numbers and written texts, and so the next two.
        only_b_right: rows that b alone answers rightly.
        mcnemar_p: p of the exact McNemar test on those rows.
        likelihood: the log-likelihood per token of the references under both, where both write texts and know it.
    """

    rows: int
    changed: tuple[int, ...]
    only_a_right: int | None = None
    only_b_right: int | None = None
    mcnemar_p: float | None = None
    likelihood: Difference | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, with the number of changed rows in place of the rows."""
        return asdict(self) | {"changed": len(self.changed)}

    def sentence(self, a: str, b: str) -> str:
        """The verdict for people, in the language in force."""
        return sentence(self.to_json(), a, b)


def sentence(comparison: dict[str, Any], a: str, b: str) -> str:
    """The verdict of a comparison's JSON on the models called `a` and `b`, in the language in force."""
    values = {
        "a": a,
        "b": b,
        "metric": metric_name(comparison["metric"]),
        "value_a": decimals(comparison["value_a"]),
        "value_b": decimals(comparison["value_b"]),
        "difference": decimals(comparison["difference"], signed=True),
        "low": decimals(comparison["low"], signed=True),
        "high": decimals(comparison["high"], signed=True),
    }
    if comparison["verdict"] == BETTER:
        return t(
            "{a} is better than {b}: {metric} {value_a} against {value_b}, a difference of {difference} "
            "(95 % interval {low} to {high}).",
            **values,
        )
    if comparison["verdict"] == WORSE:
        return t(
            "{a} is worse than {b}: {metric} {value_a} against {value_b}, a difference of {difference} "
            "(95 % interval {low} to {high}).",
            **values,
        )
    return t(
        "{a} and {b} cannot be told apart on these data: {metric} {value_a} against {value_b}, a difference of "
        "{difference} (95 % interval {low} to {high}).",
        **values,
    )


def compare(
    task: Task, labels: Sequence[Label], scores_a: FloatArray, scores_b: FloatArray, *, seed: int, resamples: int
) -> Comparison:
    """The difference of the primary metric between two models that answered the same rows.

    The interval is a paired bootstrap: both models are measured on the same resamples. p is from approximate
    randomisation, which swaps the two answers of random rows and is exact at any number of rows: Noreen,
    "Computer-Intensive Methods for Testing Hypotheses" (1989); Yeh (2000). A verdict needs both: p below 0.05 and an
    interval without 0.

    Args:
        scores_a: scores of a, (n, classes) or (n, 1).
        scores_b: scores of b, the same shape.
    """
    families = headline_family(task, labels, scores_a), headline_family(task, labels, scores_b)
    if isinstance(families[0], Means) and isinstance(families[1], Means):
        both: Family = families[0].joined(families[1])
    else:
        both = headline_family(task, [*labels, *labels], np.concatenate([scores_a, scores_b]))
    found = _difference(families, both, task.primary_metric, rows=len(labels), seed=seed, resamples=resamples)
    likelihoods = paired_likelihoods(scores_a, scores_b) if task.generates else None
    return Comparison(
        rows=len(labels),
        changed=_changed(task, scores_a, scores_b),
        likelihood=likelihoods
        and _difference(
            likelihoods,
            likelihoods[0].joined(likelihoods[1]),
            "log_likelihood",
            rows=len(labels),
            seed=seed,
            resamples=resamples,
        ),
        **asdict(found),
        **(
            _mcnemar(task, labels, scores_a, scores_b)
            if task.problem_type != "regression" and not task.generates
            else {}
        ),
    )


def difference_of_means(a: Array, b: Array, *, metric: str, seed: int, resamples: int) -> Difference:
    """How the means of two figures over the same rows differ, by the same two tests as in `compare`.

    Args:
        a: the figure of each row for a, (n,).
        b: the same for b.
        metric: what it is called.
    """
    families = Means({metric: a}), Means({metric: b})
    return _difference(families, families[0].joined(families[1]), metric, rows=len(a), seed=seed, resamples=resamples)


def _difference(
    families: tuple[Family, Family], both: Family, metric: str, *, rows: int, seed: int, resamples: int
) -> Difference:
    """One figure of two models on the same rows.

    Args:
        both: of the answers of a, then those of b.
    """
    value_a, value_b = (family.values()[metric] for family in families)
    differences = np.concatenate(
        [
            families[0].resample(weights)[metric] - families[1].resample(weights)[metric]
            for weights in draws(rows, resamples=resamples, seed=seed)
        ]
    )
    low, high = map(float, interval(differences))
    p = _randomisation(both, rows, metric, resamples=resamples, seed=seed)
    clear = p < 1 - LEVEL
    verdict = BETTER if clear and low > 0 else WORSE if clear and high < 0 else UNCLEAR
    return Difference(metric, value_a, value_b, value_a - value_b, low, high, p, verdict)


def _randomisation(family: Family, rows: int, metric: str, *, resamples: int, seed: int) -> float:
    """Share of random swaps of a's and b's answers that give at least the observed difference, both ways.

    Args:
        family: of the answers of a, then those of b.
    """

    def difference(swapped: Array) -> Array:
        first, second = np.hstack([1 - swapped, swapped]), np.hstack([swapped, 1 - swapped])
        return np.asarray(np.abs(family.resample(first)[metric] - family.resample(second)[metric]))

    observed = difference(np.zeros((1, rows)))[0] - 1e-12
    random = np.random.default_rng([seed, 1])
    step = max(1, CHUNK // (2 * rows))
    sizes = [min(step, resamples - start) for start in range(0, resamples, step)]
    as_large = sum(int((difference(random.integers(0, 2, (size, rows)) * 1.0) >= observed).sum()) for size in sizes)
    return (1 + as_large) / (1 + resamples)


def _mcnemar(task: Task, labels: Sequence[Label], scores_a: FloatArray, scores_b: FloatArray) -> dict[str, Any]:
    """Rows that one model alone answers rightly, and McNemar's exact test (1947) on them."""
    from scipy.stats import binomtest

    right_a, right_b = (task.right(labels, scores) for scores in (scores_a, scores_b))
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    p = float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    return {"only_a_right": only_a, "only_b_right": only_b, "mcnemar_p": p}


def _changed(task: Task, scores_a: FloatArray, scores_b: FloatArray) -> tuple[int, ...]:
    pairs = zip(task.decide(scores_a), task.decide(scores_b), strict=True)
    rows = [row for row, (a, b) in enumerate(pairs) if a != b]
    size: Any
    if task.generates:
        size = [1 - chrf(a, b) for a, b in zip(texts_of(scores_a), texts_of(scores_b), strict=True)]
    else:
        size = task.changes(scores_a, scores_b)
    return tuple(sorted(rows, key=lambda row: -size[row]))
