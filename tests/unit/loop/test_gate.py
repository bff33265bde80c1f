"""The gate between two releases: what it promotes, holds and asks about, and how often it is fooled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.gate import simulated
from tuneloop.core.config import TaskConfig
from tuneloop.core.i18n import use_language
from tuneloop.core.updating import GateConfig
from tuneloop.evaluation.paired import Difference
from tuneloop.loop.gate import Decision, Evidence, decide, sentences
from tuneloop.tasks import create_task


def evidence(kind: Any, low: float, high: float, *, rows: int = 500, name: str = "sentiment-1") -> Evidence:
    middle = (low + high) / 2
    verdict = "better" if low > 0 else "worse" if high < 0 else "cannot tell"
    p = 0.01 if low > 0 or high < 0 else 0.5
    difference = Difference("macro_f1", 0.8 + middle, 0.8, middle, low, high, p, verdict)
    return Evidence("new" if kind == "new" else name, kind, rows, difference)


GAINED, KEPT = evidence("new", 0.01, 0.05), evidence("old", -0.015, 0.02)


def verdict(*found: Evidence, **more: Any) -> str:
    return decide(found, GateConfig(), **more).verdict


def test_it_promotes_what_is_better_on_new_rows_and_loses_nothing_on_old_ones() -> None:
    decision = decide([KEPT, GAINED], GateConfig())
    assert decision.verdict == "promote"
    assert [each.outcome for each in decision.reasons] == ["gained", "kept"]


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ((KEPT,), "ask"),  # nothing says that it is better
        ((GAINED, evidence("old", -0.04, 0.01)), "ask"),
        ((GAINED, evidence("old", -0.06, -0.03)), "hold"),
        ((GAINED, evidence("old", -0.015, -0.005)), "promote"),  # a loss, but less than the margin for certain
        ((KEPT, evidence("new", -0.01, 0.03)), "ask"),
        ((KEPT, evidence("new", -0.02, -0.001)), "hold"),
        ((), "ask"),
        ((KEPT, GAINED, evidence("perturbed", -0.015, 0.02)), "promote"),
        ((KEPT, GAINED, evidence("perturbed", -0.04, 0.01)), "ask"),
        ((KEPT, GAINED, evidence("perturbed", -0.06, -0.03)), "hold"),
    ],
)
def test_what_is_worse_is_held_and_what_cannot_be_told_is_asked(found: tuple[Evidence, ...], wanted: str) -> None:
    assert verdict(*found) == wanted


def test_audits_hold_it_or_ask() -> None:
    assert verdict(KEPT, GAINED, broken=["robustness.failures: 0.300, at most 0.2"]) == "hold"
    assert verdict(KEPT, GAINED, alarms={"data": ["shortcut"]}) == "ask"


def test_it_says_how_many_rows_would_tell() -> None:
    decision = decide([GAINED, evidence("old", -0.03, 0.03, rows=200)], GateConfig())
    (unclear,) = [each for each in decision.reasons if each.outcome == "unclear"]
    assert unclear.fields["rows_needed"] == 450  # an interval 1.5 times as wide as the margin
    assert any("About 450 rows" in each for each in sentences(decision.to_json()))
    hopeless = decide([GAINED, evidence("old", -0.05, 0.001, rows=200)], GateConfig())
    assert hopeless.reasons[0].fields["rows_needed"] is None


def test_every_reason_is_told_in_both_languages() -> None:
    decision: Decision = decide(
        [KEPT, GAINED, evidence("new", -0.05, -0.01), evidence("old", -0.03, 0.03)],
        GateConfig(), broken=["x: 1"], alarms={"data": ["shortcut"]},
    )  # fmt: skip
    english = sentences(decision.to_json())
    use_language("zh")
    try:
        chinese = sentences(decision.to_json())
    finally:
        use_language(None)
    assert len(english) == len(chinese) == 7
    assert not set(english) & set(chinese)


def test_an_update_that_changes_nothing_is_not_promoted_and_one_that_loses_is_stopped() -> None:
    task = create_task(TaskConfig(type="classification"), {"labels": ["a", "b"]})
    random = np.random.default_rng(0)
    null = [simulated(task, random, rows=600, gain=0.0, loss=0.0) for _ in range(16)]
    assert sum(each == "promote" for each in null) <= 3  # 2.5 % of them, and chance
    worse = [simulated(task, random, rows=2000, gain=0.05, loss=0.04) for _ in range(4)]
    assert "promote" not in worse
    better = [simulated(task, random, rows=2000, gain=0.05, loss=0.0) for _ in range(4)]
    assert sum(each == "promote" for each in better) >= 1
