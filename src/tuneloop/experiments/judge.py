"""What many runs say of the methods: figures with intervals, who is really better, and what to take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.evaluation.evaluate import BASE
from tuneloop.evaluation.intervals import LEVEL, Array, draws, interval
from tuneloop.evaluation.metrics import headline_family
from tuneloop.experiments.jobs import Finished
from tuneloop.methods import BASELINES

if TYPE_CHECKING:
    from tuneloop.data.examples import Label
    from tuneloop.tasks.base import FloatArray, Task

BEST, AS_GOOD, WORSE = "best", "cannot tell", "worse"

MARGIN = 0.01
"""How far below the best a method may be and still be recommended for its lower cost, if chance could explain it."""

COSTS = ("trained_parameters", "seconds", "peak_memory_bytes", "size_bytes", "latency_ms", "texts_per_s")
RESAMPLES = 4000


def judge(
    finished: Sequence[Finished], task: Task, labels: Sequence[Label], *, resamples: int = RESAMPLES
) -> list[dict[str, Any]]:
    """For each budget, its methods from the best to the worst, as JSON.

    The figure of a method is the mean over seeds. Its interval resamples rows and seeds together, the rows the same
    for all seeds and methods, so that differences are paired. A method is called worse than the best where the
    interval of their difference leaves out 0 at a level that holds for all comparisons of the budget together
    (Bonferroni): of k methods k - 1 are compared with the best.

    Args:
        labels: the truth for the rows that were answered.
    """
    groups: dict[Any, dict[str, list[Finished]]] = defaultdict(lambda: defaultdict(list))
    for each in finished:
        groups[each.job.budget][each.job.label].append(each)
    return [
        {
            "budget": budget,
            "train_rows": max(run.result["train_rows"] for runs in methods.values() for run in runs),
            "methods": _ranked(methods, task, labels, resamples),
        }
        for budget, methods in groups.items()
    ]


def recommend(methods: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Which of a budget's methods to take: the quickest to train of those as good as the best.

    As good is what cannot be told from the best and is at most `MARGIN` below it.

    Returns:
        `take`, `instead_of` (the best, where that is another), `reason`: baseline, only, clear, cheaper or best.
    """
    best = methods[0]
    rivals = [each for each in methods if each["verdict"] != WORSE and best["value"] - each["value"] <= MARGIN]
    chosen = min(rivals, key=lambda each: each["seconds"])
    if chosen is best:
        alone = len(methods) > 1 and all(each["verdict"] == WORSE for each in methods[1:])
        reason = "only" if len(methods) == 1 else "clear" if alone else "best"
        return {"take": best["label"], "instead_of": None, "reason": reason}
    return {
        "take": chosen["label"],
        "instead_of": best["label"],
        "reason": "baseline" if chosen["type"] in (*BASELINES.names(), BASE) else "cheaper",
    }


def pareto(methods: Sequence[Mapping[str, Any]], cost: str = "seconds") -> set[str]:
    """Labels of the methods that no other beats in score without costing more."""
    known = [each for each in methods if each.get(cost) is not None]
    return {
        each["label"]
        for each in known
        if not any(
            other["value"] >= each["value"]
            and other[cost] <= each[cost]
            and (other["value"], -other[cost]) != (each["value"], -each[cost])
            for other in known
        )
    }


def _ranked(methods: Mapping[str, list[Finished]], task: Task, labels: Sequence[Label], resamples: int) -> Any:
    scores = {label: [run.scores for run in runs] for label, runs in methods.items()}
    samples = resampled(scores, task, labels, resamples=resamples)
    entries = sorted((_entry(runs, samples[label], task, labels) for label, runs in methods.items()), key=_order)
    best = entries[0]
    level = 1 - (1 - LEVEL) / max(1, len(entries) - 1)
    for each in entries:
        low, high = map(float, interval(samples[each["label"]] - samples[best["label"]], level=level))
        each["difference"], each["difference_low"], each["difference_high"] = each["value"] - best["value"], low, high
        each["verdict"] = BEST if each is best else WORSE if high < 0 else AS_GOOD
    return entries


def _order(entry: Mapping[str, Any]) -> tuple[float, str]:
    return -entry["value"], entry["label"]


def _entry(runs: list[Finished], samples: Array, task: Task, labels: Sequence[Label]) -> dict[str, Any]:
    values = [task.metrics(labels, run.scores)[task.primary_metric] for run in runs]
    low, high = map(float, interval(samples))
    costs = {name: [run.result[name] for run in runs if name in run.result] for name in COSTS}
    return {
        "label": runs[0].job.label,
        "type": runs[0].job.config.method.type,
        "value": float(np.mean(values)),
        "low": low,
        "high": high,
        "seeds": {str(run.job.config.seed): value for run, value in zip(runs, values, strict=True)},
        "parameters": runs[0].result.get("parameters"),
        **{name: _typical(found) for name, found in costs.items()},
    }


def _typical(values: Sequence[float]) -> float | None:
    """The median, a whole number where all are."""
    if not values:
        return None
    return round(median(values)) if all(isinstance(value, int) for value in values) else median(values)


def resampled(
    methods: Mapping[str, Sequence[FloatArray]], task: Task, labels: Sequence[Label], *, resamples: int
) -> dict[str, Array]:
    """The mean over resampled seeds on resampled rows, the same draws for every method, (resamples,) each.

    Seeds are matched by number where every method has the same ones: they also drew the labelled rows.

    Args:
        methods: the answers to the rows, (n, outputs), of each method with each seed.
    """
    families = {name: [headline_family(task, labels, scores) for scores in each] for name, each in methods.items()}
    random, parts = np.random.default_rng([0, 1]), defaultdict(list)
    for weights in draws(len(labels), resamples=resamples, seed=0):
        shares: dict[int, Array] = {}
        for name, found in families.items():
            seeds = len(found)
            if seeds not in shares:
                shares[seeds] = random.multinomial(seeds, [1 / seeds] * seeds, size=len(weights)) / seeds
            values = np.stack([family.resample(weights)[task.primary_metric] for family in found], axis=1)
            parts[name].append((values * shares[seeds]).sum(axis=1))
    return {name: np.concatenate(found) for name, found in parts.items()}
