"""Detectors against their formulas, and what they promise once they are calibrated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tuneloop.abstaining import DETECTORS
from tuneloop.abstaining.abstainer import Abstainer, Calibrated, rows_needed
from tuneloop.abstaining.base import Reading
from tuneloop.abstaining.choice import fit_detectors, ranked
from tuneloop.abstaining.conformal import LabelSets
from tuneloop.abstaining.folder import FOLDER, TENSORS, keep_abstainer, open_abstainer
from tuneloop.abstaining.separation import auroc, let_pass
from tuneloop.core.errors import ModelError

CENTRES = np.array([[4.0, 0, 0, 0, 0], [0, 4, 0, 0, 0]])
HEAD = np.array([[1.0, 0, 0, 0, 0], [0, 1, 0, 0, 0]])


def reading(n: int, *, seed: int, shift: float = 0.0) -> tuple[Reading, np.ndarray]:
    """Vectors around two class centres, moved in a direction that the head does not see."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    vectors = (CENTRES[labels] + random.normal(size=(n, 5)) + [0, 0, shift, 0, 0]).astype(np.float32)
    logits = (vectors @ HEAD.T).astype(np.float32)
    odds = np.exp(logits)
    return Reading(odds / odds.sum(axis=1, keepdims=True), logits, vectors), labels


@pytest.fixture(scope="module")
def fitted() -> dict:
    return fit_detectors(*reading(600, seed=1), seed=0)


def test_scores_are_those_of_the_papers(fitted: dict) -> None:
    train, _ = reading(600, seed=1)
    found, _ = reading(7, seed=2)
    assert np.allclose(fitted["max_softmax"].scores(found), 1 - found.probabilities.max(axis=1))
    assert np.allclose(fitted["energy"].scores(found), -np.log(np.exp(found.logits).sum(axis=1)), atol=1e-5)
    own, theirs = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (found.vectors, train.vectors))
    tenth = np.sort(np.linalg.norm(own[:, None] - theirs, axis=2), axis=1)[:, 9]
    assert np.allclose(fitted["neighbours"].scores(found), tenth, atol=5e-3)  # float16


def test_the_mahalanobis_distance_is_that_of_the_paper() -> None:
    stretch = np.linspace(1, 3, 5, dtype=np.float32)  # a round cloud of few texts would be shrunk by more
    many, labels = reading(4000, seed=1)
    train, found = many.vectors * stretch, reading(7, seed=2)[0].vectors * stretch
    means = np.stack([train[labels == each].mean(axis=0) for each in (0, 1)])
    inverse = np.linalg.inv(np.cov((train - means[labels]).T, bias=True))
    offsets = found[:, None] - means
    expected = np.einsum("nch,hk,nck->nc", offsets, inverse, offsets).min(axis=1)
    detector = DETECTORS.get("mahalanobis").fit(Reading(many.probabilities, None, train), labels, seed=0)
    assert np.allclose(detector.scores(Reading(many.probabilities[:7], None, found)), expected, rtol=0.05)


def test_logits_show_what_vectors_show_only_where_the_head_looks(fitted: dict) -> None:
    dev, far = reading(300, seed=3)[0], reading(300, seed=4, shift=6.0)[0]
    figures = ranked(fitted, dev, {"far": far})
    assert next(iter(figures)) in ("mahalanobis", "neighbours")
    assert figures["mahalanobis"] > 0.95 and figures["neighbours"] > 0.95
    assert 0.4 < figures["energy"] < 0.6 and 0.4 < figures["max_softmax"] < 0.6


def test_without_vectors_or_logits_only_detectors_that_do_without_are_fitted() -> None:
    full, labels = reading(50, seed=1)
    plain = Reading(full.probabilities, full.logits)
    assert set(fit_detectors(plain, labels, seed=0)) == {"max_softmax", "energy"}
    assert set(fit_detectors(Reading(full.probabilities), labels, seed=0)) == {"max_softmax"}


def test_few_texts_and_values_that_never_vary_are_no_trouble() -> None:
    full, labels = reading(4, seed=1)
    flat = Reading(full.probabilities, full.logits, np.hstack([full.vectors, np.ones((4, 3), np.float32)]))
    for detector in fit_detectors(flat, labels, seed=0).values():
        assert np.isfinite(detector.scores(flat)).all()


def test_as_many_of_ones_own_texts_are_refused_as_was_promised(fitted: dict) -> None:
    refused = []
    for seed in range(40):
        abstainer = Abstainer((Calibrated.on(fitted["mahalanobis"], reading(60, seed=100 + seed)[0]),), 0.1)
        own = reading(200, seed=200 + seed)[0]
        refused.append(np.mean(abstainer.detectors[0].outside(own) >= 0.9 - 1e-9))
    assert 0.075 < np.mean(refused) < 0.115  # at most 0.1, and by little less
    far = reading(50, seed=9, shift=8.0)[0]
    assert (abstainer.detectors[0].outside(far) >= 0.9 - 1e-9).all()


def test_with_as_many_rows_as_are_needed_a_text_can_just_be_refused() -> None:
    for share in (0.05, 0.1, 0.3, 1 / 3):
        detector = DETECTORS.get("max_softmax")()
        for rows, possible in ((rows_needed(share), True), (rows_needed(share) - 1, False)):
            dev = Reading(np.tile(np.float32([[0.9, 0.1]]), (rows, 1)))
            told = Calibrated.on(detector, dev).outside(Reading(np.float32([[0.5, 0.5]])))
            assert (told[0] >= 1 - share - 1e-9) == possible


def test_what_is_kept_in_a_folder_judges_alike(fitted: dict, tmp_path: Path) -> None:
    dev, found = reading(80, seed=5)[0], reading(30, seed=6)[0]
    detectors = tuple(Calibrated.on(each, dev) for each in fitted.values())
    keep_abstainer(Abstainer(detectors, 0.1, LabelSets(0.9, 0.25, 80)), tmp_path)
    opened = open_abstainer(tmp_path)
    assert opened is not None and opened.sets == LabelSets(0.9, 0.25, 80)
    for before, after in zip(detectors, opened.detectors, strict=True):
        assert np.array_equal(before.outside(found), after.outside(found))
    keep_abstainer(Abstainer((), 0.1, LabelSets(0.9, 0.25, 80)), tmp_path)
    assert open_abstainer(tmp_path).detectors == ()
    (tmp_path / FOLDER / TENSORS).write_bytes(b"damaged")
    with pytest.raises(ModelError, match="Release the run again"):
        open_abstainer(tmp_path)
    assert open_abstainer(tmp_path / "elsewhere") is None


def test_auroc_and_fpr95_are_those_of_scikit_learn_and_their_intervals_hold_the_truth() -> None:
    from sklearn.metrics import roc_auc_score, roc_curve

    random = np.random.default_rng(0)
    inside, outside = random.normal(size=200).round(1), random.normal(1.5, size=150).round(1)
    truth, scores = [0] * 200 + [1] * 150, np.concatenate([inside, outside])
    assert auroc(inside, outside)[0] == pytest.approx(roc_auc_score(truth, scores))
    value, low, high = let_pass(inside, outside, random)
    wrong, caught, _ = roc_curve([1] * 200 + [0] * 150, -scores)
    assert value == pytest.approx(wrong[np.argmax(caught >= 0.95)])
    assert low < value < high
    known = 0.8555  # of two normal distributions 1.5 apart: Phi(1.5 / sqrt 2)
    hits = 0
    for _ in range(200):
        _, low, high = auroc(random.normal(size=60), random.normal(1.5, size=60))
        hits += low <= known <= high
    assert hits >= 180


def test_detectors_without_a_mistake_have_an_interval_too() -> None:
    value, low, high = auroc(np.zeros(30), np.ones(30))
    assert (value, high) == (1.0, 1.0) and 0.85 < low < 1
    value, low, high = let_pass(np.zeros(30), np.ones(30), np.random.default_rng(0))
    assert (value, low) == (0.0, 0.0) and 0 < high < 0.2
