"""Intervals cover what they should, as often as they say."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.evaluation import intervals
from tuneloop.evaluation.intervals import bootstrap, draws, figure, interval


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 50), resamples=st.integers(1, 40), seed=st.integers(0, 1000))
def test_each_resample_has_as_many_rows_as_the_test_split(rows, resamples, seed):
    weights = np.concatenate(list(draws(rows, resamples=resamples, seed=seed)))
    assert weights.shape == (resamples, rows)
    assert (weights.sum(axis=1) == rows).all()


def test_chunks_change_no_resample(monkeypatch):
    whole = np.concatenate(list(draws(7, resamples=50, seed=3)))
    monkeypatch.setattr(intervals, "CHUNK", 20)
    parts = list(draws(7, resamples=50, seed=3))
    assert len(parts) > 10
    assert (np.concatenate(parts) == whole).all()


def test_95_percent_of_the_intervals_hold_the_true_value():
    random, held = np.random.default_rng(0), 0
    for seed in range(400):
        right = random.random(150) < 0.7
        samples = bootstrap(lambda w, right=right: {"x": w @ right / 150}, rows=150, resamples=400, seed=seed)["x"]
        low, high = interval(samples)
        held += low <= 0.7 <= high
    assert 0.91 <= held / 400 <= 0.98


def test_the_interval_of_a_figure_that_chance_only_raises_is_turned_towards_zero():
    found = figure("ece", 0.02, np.linspace(0.02, 0.05, 1000))
    assert found.low == 0.0 and found.high >= 0.02
    assert figure("ece", 0.2, np.linspace(0.19, 0.25, 1000)).low < 0.17


def test_what_cannot_be_computed_is_no_number_in_json():
    assert figure("x", 0.5, np.full(100, np.nan)).to_json() == {"value": 0.5, "low": None, "high": None}
