"""The learning rate and the averaging as functions of the step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.training.schedule import ema_decay, rate_factor


@given(st.integers(0, 10_000), st.floats(0, 0.9999))
def test_the_average_keeps_more_and_more_but_never_more_than_asked(step: int, decay: float) -> None:
    assert 0 <= ema_decay(step, decay) <= ema_decay(step + 1, decay) <= decay


def test_a_short_run_forgets_where_it_began() -> None:
    kept = 1.0
    for step in range(20):
        kept *= ema_decay(step, 0.99)
    assert kept < 1e-6


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_rate_rises_to_its_peak_and_falls_to_nothing(schedule: str) -> None:
    factors = [rate_factor(step, total=100, warmup=0.1, schedule=schedule) for step in range(101)]
    assert factors[:11] == sorted(factors[:11]) and factors[9] == max(factors) == 1
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[100] == pytest.approx(0)
