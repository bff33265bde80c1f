"""Promises of every detector, and what each of them is for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from tests.streams import events
from tuneloop.core.i18n import use_language
from tuneloop.watch.base import Event
from tuneloop.watch.drift import DETECTORS
from tuneloop.watch.drift.base import Detector, joined

NAMES = DETECTORS.names()


def p_value(detector: Detector, past: list[Event], window: list[Event], seed: int = 0) -> float:
    return detector.p_value(detector.measure(past), detector.measure(window), np.random.default_rng(seed))


@pytest.mark.parametrize("name", NAMES)
def test_p_values_without_a_change_are_not_small_too_often(name: str) -> None:
    detector = DETECTORS.get(name)()
    rows = [replace(event, language="en" if number % 3 else "zh") for number, event in enumerate(events(60, seed=1))]
    rows = [rows[number] for number in np.random.default_rng(4).permutation(60)]
    found = []
    for seed in range(40):
        order = np.random.default_rng(seed).permutation(60)
        found.append(p_value(detector, [rows[n] for n in order[:35]], [rows[n] for n in order[35:]], seed))
    assert kstest(found, "uniform", alternative="greater").pvalue > 0.01  # no more small ones than there may be


@pytest.mark.parametrize("name", NAMES)
def test_each_sees_its_own_change_and_says_it_in_both_languages(name: str) -> None:
    detector = DETECTORS.get(name)()
    past = events(150, seed=1)
    window = [
        replace(event, label="yes", confidence=(event.confidence or 0) / 2, language="zh", took_ms=event.took_ms * 3)
        for event in events(50, seed=2, foreign=1.0)
    ]
    assert p_value(detector, past, window) < 0.001
    effect = detector.effect(past, window)
    assert effect is not None
    english = detector.sentence(effect.to_json())
    use_language("zh")
    try:
        assert detector.title() and detector.sentence(effect.to_json()) != english
    finally:
        use_language(None)


def test_lengths_are_told_in_plain_words() -> None:
    detector = DETECTORS.get("length")()
    effect = detector.effect(events(50, seed=1, chars=100), events(50, seed=2, chars=138))
    assert effect is not None
    assert detector.sentence(effect.to_json()) == (
        "texts are 38% longer than in the reference: 138 characters on average, not 100"
    )


def test_words_need_texts_and_name_what_has_risen() -> None:
    detector = DETECTORS.get("vocabulary")()
    assert detector.measure(events(5, seed=1, text=None)).shape[0] == 0
    assert detector.effect(events(50, seed=1), events(50, seed=2, text=None)) is None
    effect = detector.effect(events(80, seed=1), events(40, seed=2, foreign=0.5))
    assert effect is not None and effect.value > effect.reference
    assert all(word.startswith("x") for word in effect.details["words"])


def test_what_a_classifier_says_of_a_row_is_what_it_says_fitted_without_it() -> None:
    from sklearn.kernel_ridge import KernelRidge

    from tuneloop.watch.drift.classifier import RIDGE, unseen

    random = np.random.default_rng(0)
    rows = random.normal(size=(30, 5)).astype(np.float32)
    new = np.repeat(np.float32([0, 1]), 15)
    said = unseen(rows, new[:, None])[:, 0]
    centred, target = rows - rows.mean(axis=0), new - new.mean()
    penalty = RIDGE * (centred**2).sum() / 30
    for row in range(30):
        others = np.arange(30) != row
        fitted = KernelRidge(alpha=penalty, kernel="linear").fit(centred[others], target[others])
        assert said[row] == pytest.approx(fitted.predict(centred[row : row + 1])[0], abs=1e-4)


def test_sparse_and_dense_rows_are_joined() -> None:
    detector = DETECTORS.get("vocabulary")()
    parts = [detector.measure(events(3, seed=seed)) for seed in (1, 2)]
    assert joined(parts).shape[0] == 6
