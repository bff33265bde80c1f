"""The capital of those who bet against a stream."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest

from tuneloop.watch.drift.martingale import Martingale


def test_over_200_windows_without_a_change_few_streams_ever_reach_the_bar() -> None:
    random = np.random.default_rng(0)
    reached = 0
    for _ in range(300):
        martingale = Martingale()
        reached += max(martingale.bet(p) for p in random.random(200)) >= 20
    assert binomtest(reached, 300, 0.05, alternative="greater").pvalue > 0.01
    assert reached > 0  # nor is it so careful that it could never be wrong


def test_a_change_after_a_long_quiet_time_is_dated_and_seen() -> None:
    random = np.random.default_rng(1)
    martingale = Martingale()
    for p in random.random(500):
        martingale.bet(p)
    assert martingale.capital < 5
    steps = 0
    while martingale.capital < 20:
        martingale.bet(float(random.uniform(0, 0.01)))
        steps += 1
    assert steps <= 8 and abs(martingale.since - 501) <= 2
