from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tuneloop.core.config import TaskConfig, parse_config
from tuneloop.experiments.job import Job
from tuneloop.experiments.jobs import Finished
from tuneloop.experiments.judge import judge, pareto, recommend
from tuneloop.experiments.words import recommendation
from tuneloop.tasks import create_task

ROWS = 900
TRUTH = np.arange(ROWS) % 3
LABELS = [str(each) for each in TRUTH]
TASK = create_task(TaskConfig(type="classification"), {"labels": ["0", "1", "2"]})


def run(name: str, *, right: float, seed: int = 0, seconds: float = 1.0, budget: int | str = "all") -> Finished:
    """A run that answers this share of every class rightly, which rows being chance."""
    random, answers = np.random.default_rng([sum(map(ord, name)), seed]), (TRUTH + 1) % 3
    for number in range(3):
        rows = random.permutation(np.flatnonzero(number == TRUTH))
        answers[rows[: round(right * len(rows))]] = number
    config = parse_config({"seed": seed, "data": {"source": "x.csv"}, "method": name})
    scores = np.eye(3, dtype=np.float32)[answers]
    return Finished(Job(name, config, budget, "data", "dev"), {"train_rows": 9, "seconds": seconds}, scores)


def methods(*runs: Finished) -> list[dict[str, Any]]:
    (only,) = judge(runs, TASK, LABELS, resamples=400)
    return list(only["methods"])


def test_the_figure_is_the_mean_over_seeds_and_its_interval_holds_it() -> None:
    runs = [run("full", right=0.8, seed=seed) for seed in range(3)]
    (found,) = methods(*runs)
    each = [TASK.metrics(LABELS, one.scores)["macro_f1"] for one in runs]
    assert found["value"] == pytest.approx(np.mean(each))
    assert list(found["seeds"].values()) == pytest.approx(each)
    assert found["low"] < found["value"] < found["high"]


def test_seeds_that_disagree_widen_the_interval() -> None:
    alike = methods(*(run("full", right=0.8, seed=seed) for seed in range(3)))[0]
    apart = methods(*(run("full", right=right, seed=seed) for seed, right in enumerate((0.6, 0.8, 1.0))))[0]
    assert apart["high"] - apart["low"] > 2 * (alike["high"] - alike["low"])


def test_only_what_chance_cannot_explain_is_called_worse() -> None:
    found = methods(*(run(name, right=right) for name, right in [("full", 0.8), ("lora", 0.79), ("probe", 0.6)]))
    assert [(each["label"], each["verdict"]) for each in found] == [
        ("full", "best"),
        ("lora", "cannot tell"),
        ("probe", "worse"),
    ]
    assert found[2]["difference_high"] < 0


def test_more_methods_ask_for_a_larger_difference() -> None:
    two = methods(run("full", right=0.8), run("lora", right=0.76))
    many = methods(run("full", right=0.8), run("lora", right=0.76), *(run(f"m{n}", right=0.5) for n in range(9)))
    widths = [each["difference_high"] - each["difference_low"] for each in (two[1], many[1])]
    assert widths[1] > 1.2 * widths[0]


def test_a_cheaper_method_as_good_as_the_best_is_recommended() -> None:
    found = methods(run("full", right=0.8, seconds=60), run("lora", right=0.795, seconds=20))
    assert recommend(found) == {"take": "lora", "instead_of": "full", "reason": "cheaper"}


@pytest.mark.parametrize(
    ("runs", "advice", "said"),
    [
        ([("full", 0.8, 60), ("probe", 0.5, 1)], ("full", "clear"), "better than every other"),
        ([("full", 0.8, 60)], ("full", "only"), "all there is"),
        ([("full", 0.80, 60), ("lora", 0.785, 80)], ("full", "best"), "no quicker method"),
        ([("tfidf", 0.795, 1), ("full", 0.8, 60)], ("tfidf", "baseline"), "no method is worth its cost"),
    ],
)
def test_the_recommendation_says_why(runs: list[Any], advice: tuple[str, str], said: str) -> None:
    found = methods(*(run(name, right=right, seconds=seconds) for name, right, seconds in runs))
    given = recommend(found)
    assert (given["take"], given["reason"]) == advice
    page = {"metric": "macro_f1", "classes": True, "recommendations": {"all": given}}
    assert said in recommendation(page, {"budget": "all", "methods": found})


def test_the_pareto_front_leaves_out_what_is_dearer_and_worse() -> None:
    found = [
        {"label": "quick", "value": 0.7, "seconds": 1.0},
        {"label": "good", "value": 0.8, "seconds": 9.0},
        {"label": "bad", "value": 0.75, "seconds": 10.0},
        {"label": "unknown", "value": 0.9, "seconds": None},
    ]
    assert pareto(found) == {"quick", "good"}


def test_budgets_are_judged_apart() -> None:
    found = judge([run("full", right=0.6, budget=8), run("full", right=0.8)], TASK, LABELS, resamples=200)
    assert [each["budget"] for each in found] == [8, "all"]
    assert found[0]["methods"][0]["value"] < found[1]["methods"][0]["value"]
