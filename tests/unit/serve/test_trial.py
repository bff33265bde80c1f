"""What is counted of a release that is being tried."""

from __future__ import annotations

import math

import pytest

from tuneloop.core.config import DeployConfig, ServeConfig, TaskConfig
from tuneloop.releases.deployment import Candidate
from tuneloop.serve.batching import Answer
from tuneloop.serve.metrics import Meter
from tuneloop.serve.slot import ServedModel
from tuneloop.serve.trial import FIRST, Trial
from tuneloop.tasks import create_task
from tuneloop.tasks.base import Prediction


class Judge:
    """All that is asked of a handle here."""

    task = create_task(TaskConfig(type="classification"), {"labels": ["a", "b"]})


def trial(stage: str = "canary") -> Trial:
    candidate = Candidate("m-2", stage, 1.0, change=1, at=0.0)
    model = ServedModel("m-2", "fake", Judge(), manifest="one")
    return Trial(candidate, model, config=ServeConfig(), deploy=DeployConfig(), meter=Meter(lambda: 0))


def answer(known: int = 0) -> Answer:
    return Answer("m-1", [Prediction("a", {"a": 1.0, "b": 0.0})], known=known)


@pytest.mark.parametrize("stage", ["canary", "shadow"])
def test_how_long_a_known_answer_took_says_nothing_of_a_release_that_is_tried(stage):
    tried = trial(stage)
    for each in (answer(known=1), answer()):
        tried.note("current", 0.25, 10, each)
        tried.note_shadow(answer(), each, 0.25)
    assert [len(times) for times in tried._times.values()] == [1, 1]


@pytest.mark.parametrize(
    ("usual_s", "took_s", "slow"),
    [(0.1, 0.19, False), (0.1, 0.21, True), (0.001, 0.0059, False), (0.001, 0.0061, True)],
)
def test_slow_is_twice_the_median_and_longer_by_what_somebody_could_notice(usual_s, took_s, slow):
    tried = trial()
    for _ in range(FIRST):
        tried.note("current", usual_s, math.inf, answer())
    tried.note("candidate", took_s, math.inf, answer())
    assert tried.figures()["criteria"]["slow"]["candidate"]["share"] == float(slow)
