"""Sets of classes hold the right one as often as was promised."""

from __future__ import annotations

import numpy as np
import pytest

from tuneloop.abstaining.conformal import calibrate, chance_of_so_few, covered, rows_needed

CLASSES = 4


def answers(n: int, random: np.random.Generator, *, overconfident: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a model, and right classes drawn by what they ought to be."""
    logits = random.normal(size=(n, CLASSES)) * 2
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    told = np.exp(logits * overconfident)
    labels = np.array([random.choice(CLASSES, p=row) for row in truth])
    return (told / told.sum(axis=1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize("overconfident", [1.0, 5.0])
@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_the_promise_is_kept_whether_or_not_the_model_is_right_of_itself(coverage: float, overconfident: float) -> None:
    random = np.random.default_rng(1)
    shares, sizes = [], []
    for _ in range(60):
        sets = calibrate(*answers(100, random, overconfident=overconfident), coverage)
        probabilities, labels = answers(200, random, overconfident=overconfident)
        shares.append(covered(sets, probabilities, labels).mean())
        sizes.append(sets.holds(probabilities).sum(axis=1).mean())
    assert coverage - 0.01 < np.mean(shares) < coverage + 0.03
    assert 1 < np.mean(sizes) < CLASSES


def test_one_row_fewer_than_needed_leaves_nothing_but_all_classes() -> None:
    random = np.random.default_rng(2)
    for coverage in (0.75, 0.9, 0.95):
        needed = rows_needed(coverage)
        assert calibrate(*answers(needed, random), coverage).least > 0
        sets = calibrate(*answers(needed - 1, random), coverage)
        assert sets.holds(answers(20, random)[0]).all()


def test_a_broken_promise_is_told_from_bad_luck() -> None:
    random = np.random.default_rng(3)
    chances = []
    for _ in range(80):
        sets = calibrate(*answers(50, random), 0.9)
        chances.append(chance_of_so_few(sets, int(covered(sets, *answers(100, random)).sum()), 100))
    assert np.mean(np.array(chances) < 0.05) < 0.11
    assert chance_of_so_few(sets, 70, 100) < 0.01
