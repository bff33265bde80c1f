"""A promised loss of accuracy is kept as often as was promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from tuneloop.core.errors import DataError
from tuneloop.evaluation.handover import THRESHOLDS, choose_exits, choose_handover, leaving
from tuneloop.evaluation.noninferior import noninferiority_p, score


@pytest.mark.parametrize(("rows", "differing", "margin"), [(40, 0.1, 0.05), (40, 0.2, 0.05), (100, 0.05, 0.02)])
def test_a_model_that_loses_the_margin_passes_as_rarely_as_is_said(rows: int, differing: float, margin: float) -> None:
    """The chances of all counts for which it passes, added up."""
    lost, won = (differing + margin) / 2, (differing - margin) / 2
    passes = {0.05: 0.0, 0.1: 0.0}
    for b in range(rows + 1):
        of_b = binom.pmf(b, rows, lost)
        chances = of_b * binom.pmf(np.arange(rows - b + 1), rows - b, won / (1 - lost)) if of_b > 1e-6 else ()
        for c in np.flatnonzero(np.array(chances) > 1e-6).tolist():
            p = noninferiority_p(b, c, rows, margin=margin)
            for level in passes:
                passes[level] += chances[c] * (p <= level)
    assert all(0.3 * level < share <= level for level, share in passes.items())


def test_without_a_differing_row_the_number_of_rows_decides() -> None:
    # all rows alike has a chance of (1 - margin) ** rows, however the margin is lost
    for rows in (100, 461, 2000):
        assert noninferiority_p(0, 0, rows, margin=0.005) == pytest.approx(0.995**rows, abs=2e-3)


@given(st.integers(0, 30), st.integers(0, 30), st.sampled_from([60, 400]), st.sampled_from([0.005, 0.05]))
@settings(deadline=None, max_examples=60)
def test_p_is_a_chance_and_falls_with_every_row_that_is_won(lost: int, won: int, rows: int, margin: float) -> None:
    p = noninferiority_p(lost, won, rows, margin=margin)
    assert 0 < p <= 1
    if lost:
        assert noninferiority_p(lost - 1, won + 1, rows, margin=margin) <= p + 1e-9


def test_it_grows_with_every_row_that_is_lost_instead_of_won() -> None:
    for differing in (1, 7, 40):
        lost = np.arange(differing + 1)
        assert (np.diff(score(lost, differing - lost, 300, 0.01)) > 0).all()


def test_the_statistic_is_that_of_tango() -> None:
    # b = 1, c = 3 of 44 with a margin of 0.1, by the formula of the paper in other words: q solves
    # 2 n q^2 + ((2 n - b + c) d - b - c) q - c d (1 - d) = 0
    n, b, c, d = 44, 1, 3, 0.1
    q = max(np.roots([2 * n, (2 * n - b + c) * d - b - c, -c * d * (1 - d)]))
    assert float(score(b, c, n, d)) == pytest.approx((b - c - n * d) / np.sqrt(n * (2 * q + d * (1 - d))))


def world(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A cheap model that is right as often as it is sure, and a strong one that is right in nine of ten."""
    random = np.random.default_rng(seed)
    sure = random.beta(4, 1.2, rows).clip(1 / 3, 1)
    hard = random.random(rows)
    return sure, hard < sure, hard < 0.9 + 0.1 * (random.random(rows) < 0.3)


def test_the_cheap_model_keeps_what_it_is_sure_of_and_no_more() -> None:
    sure, cheap, strong = world(4000)
    found = choose_handover(sure, cheap, strong, max_loss=0.005, confidence=0.9)
    assert 0.05 < found.share < 0.95 and found.p <= 0.1
    assert found.threshold in THRESHOLDS
    keeps = sure >= found.threshold
    assert found.share == pytest.approx(1 - keeps.mean())
    assert found.loss == pytest.approx(strong.mean() - np.where(keeps, cheap, strong).mean())
    more = choose_handover(sure, cheap, strong, max_loss=0.02, confidence=0.9)
    surer = choose_handover(sure, cheap, strong, max_loss=0.005, confidence=0.99)
    assert more.share < found.share <= surer.share


def test_the_promise_holds_on_other_rows_as_often_as_was_said() -> None:
    sure, cheap, strong = world(200_000, seed=1)
    broken = 0
    for trial in range(12):
        found = choose_handover(*world(800, seed=100 + trial), max_loss=0.01, confidence=0.9)
        keeps = sure >= found.threshold
        broken += strong.mean() - np.where(keeps, cheap, strong).mean() > 0.01
    assert broken <= 4  # a chance of 0.1 each: 5 or more of 12 has less than 0.005


def test_a_cheap_model_that_is_never_worse_answers_everything() -> None:
    right = np.ones(2000, bool)
    found = choose_handover(np.full(2000, 0.5), right, right, max_loss=0.005, confidence=0.9)
    assert found.share == 0 and found.threshold <= 0.5


def test_too_few_rows_are_told_plainly() -> None:
    right = np.ones(200, bool)
    with pytest.raises(DataError, match=r"200 rows cannot show .* less than 0\.005 .* 90%"):
        choose_handover(np.full(200, 0.9), right, right, max_loss=0.005, confidence=0.9)


def test_a_row_leaves_at_its_first_sure_exit() -> None:
    sure = np.array([[0.9, 0.4, 0.4, 0.8], [0.9, 0.8, 0.5, 0.3]])
    assert leaving(sure, 0.8).tolist() == [0, 1, -1, 0]
    assert leaving(sure, 0.0).tolist() == [0] * 4 and leaving(sure, 1.01).tolist() == [-1] * 4


def test_one_exit_is_a_cascade_of_two() -> None:
    sure, cheap, strong = world(2000)
    promise = {"max_loss": 0.01, "confidence": 0.9}
    assert choose_exits(sure[None], cheap[None], strong, **promise) == choose_handover(sure, cheap, strong, **promise)


def test_rows_that_only_leave_earlier_are_counted_anew() -> None:
    """At 0.9 all leave at the second exit, rightly; below that at the first one, wrongly."""
    sure = np.stack([np.full(2000, 0.5), np.full(2000, 0.9)])
    right, whole = np.stack([np.zeros(2000, bool), np.ones(2000, bool)]), np.ones(2000, bool)
    found = choose_exits(sure, right, whole, max_loss=0.01, confidence=0.9)
    assert 0.5 < found.threshold <= 0.9 and found.share == 0 and found.loss == 0
