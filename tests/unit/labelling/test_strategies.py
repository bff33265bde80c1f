"""Strategies against the formulas of their papers, and what all of them promise."""

from __future__ import annotations

import numpy as np
import pytest

from tuneloop.labelling.strategies import STRATEGIES
from tuneloop.labelling.strategies.badge import residual
from tuneloop.labelling.strategies.base import Pool, ScoreStrategy


def pool(n: int = 60, *, seed: int = 0, labelled: int = 12) -> Pool:
    """Texts in three clouds; the labelled ones stand in two of them."""
    random = np.random.default_rng(seed)
    centres = np.eye(3, 6) * 4

    def vectors(count: int, clouds: int) -> np.ndarray:
        return (centres[np.arange(count) % clouds] + random.normal(size=(count, 6)) * 0.4).astype(np.float32)

    def answers(*shape: int) -> np.ndarray:
        return random.dirichlet(np.ones(4), size=shape).astype(np.float32)

    return Pool(n, answers(n), vectors(n, 3), answers(8, n), answers(labelled), vectors(labelled, 2))


@pytest.mark.parametrize("name", STRATEGIES.names())
def test_every_strategy_chooses_different_texts_and_the_same_again(name: str) -> None:
    strategy = STRATEGIES.get(name)()
    for count in (1, 17, 200):
        found = strategy.choose(pool(), count, seed=3)
        assert len(found.rows) == len(found.scores) == len(set(found.rows.tolist())) == min(count, 60)
        assert np.isfinite(found.scores).all()
        assert found.rows.tolist() == strategy.choose(pool(), count, seed=3).rows.tolist()
    assert strategy.__doc__ and strategy.name == name


@pytest.mark.parametrize("name", STRATEGIES.names())
def test_every_strategy_needs_no_more_than_it_says(name: str) -> None:
    whole, strategy = pool(), STRATEGIES.get(name)()
    given = {need: whole.get(need) for need in strategy.needs}
    assert len(strategy.choose(Pool(60, **given), 5, seed=0).rows) == 5


@pytest.mark.parametrize("name", STRATEGIES.names())
def test_equal_texts_are_no_trouble(name: str) -> None:
    alike = pool(1)
    same = {need: np.repeat(alike.get(need), 30, axis=0) for need in ("probabilities", "vectors")}
    draws = np.repeat(alike.get("draws"), 30, axis=1)
    equal = Pool(30, **same, draws=draws, labelled_probabilities=same["probabilities"][:5],
                 labelled_vectors=same["vectors"][:5])  # fmt: skip
    assert sorted(STRATEGIES.get(name)().choose(equal, 30, seed=1).rows.tolist()) == list(range(30))


def test_scores_are_those_of_the_papers() -> None:
    found = pool()
    p, draws = found.get("probabilities").astype(np.float64), found.get("draws").astype(np.float64)
    ranked = np.sort(p, axis=1)
    expected = {
        "uncertainty": 1 - ranked[:, -1],
        "entropy": -(p * np.log(p)).sum(axis=1),
        "margin": 1 - ranked[:, -1] + ranked[:, -2],
    }
    mean = draws.mean(axis=0)
    inside = (draws * (np.log(draws) - np.log(mean))).sum(axis=2).mean(axis=0)  # mutual information as a mean of KL
    expected["bald"] = inside
    theirs = found.get("labelled_probabilities").astype(np.float64)
    units = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (found.vectors, found.labelled_vectors)]
    near = np.argsort(-units[0] @ units[1].T, axis=1)[:, :10]
    expected["cal"] = np.array(
        [np.mean([(theirs[k] * np.log(theirs[k] / p[row])).sum() for k in near[row]]) for row in range(60)]
    )
    for name, scores in expected.items():
        assert np.allclose(STRATEGIES.get(name)().scores(found), scores, atol=1e-5), name


def test_badge_samples_as_it_would_with_the_whole_gradients() -> None:
    """k-means++ over explicit outer products, with the same draws, chooses the same rows."""
    found, random = pool(), np.random.default_rng(5)
    gradients = np.einsum("nc,nh->nch", residual(found.get("probabilities")), found.get("vectors")).reshape(60, -1)
    rows = [int((gradients**2).sum(axis=1).argmax())]
    while len(rows) < 9:
        away = ((gradients[:, None] - gradients[rows]) ** 2).sum(axis=2).min(axis=1)
        away[rows] = 0
        rows.append(int(random.choice(60, p=away / away.sum())))
    chosen = STRATEGIES.get("badge")().choose(found, 9, seed=5)
    assert chosen.rows.tolist() == rows
    assert np.allclose(chosen.scores, np.linalg.norm(gradients[rows], axis=1), rtol=1e-4)


def test_strategies_that_look_at_places_go_where_nothing_is_labelled() -> None:
    clouds = np.arange(60) % 3
    for name in ("coreset", "discriminative", "cluster"):
        rows = STRATEGIES.get(name)().choose(pool(), 3, seed=0).rows
        assert clouds[rows[0]] == 2, name


def test_coreset_is_the_greedy_k_center_of_the_paper() -> None:
    found = pool()
    own, known = (
        each / np.linalg.norm(each, axis=1, keepdims=True) for each in (found.vectors, found.labelled_vectors)
    )
    rows, centres = [], list(known)
    for _ in range(6):
        away = np.linalg.norm(own[:, None] - np.array(centres), axis=2).min(axis=1)
        rows.append(int(away.argmax()))
        centres.append(own[rows[-1]])
    assert STRATEGIES.get("coreset")().choose(found, 6, seed=0).rows.tolist() == rows


@pytest.mark.parametrize("diversity", ["kmeans", "centers"])
def test_a_diverse_batch_covers_more_than_the_best_scores(diversity: str) -> None:
    random = np.random.default_rng(0)
    vectors = np.repeat(np.eye(6), 10, axis=0) + random.normal(size=(60, 6)) * 0.01
    sure = np.where(np.arange(60) < 10, 0.5, 0.6)  # one cloud is the least sure
    found = Pool(60, np.stack([sure, 1 - sure], axis=1), vectors)
    strategy = STRATEGIES.get("margin")
    assert issubclass(strategy, ScoreStrategy)
    assert {row // 10 for row in strategy().choose(found, 6, seed=0).rows} == {0}
    assert len({row // 10 for row in strategy(diversity).choose(found, 6, seed=0).rows}) == 6
