"""Better is said of what is better, and of nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from tuneloop.core.i18n import use_language
from tuneloop.evaluation.paired import compare

KINDS = ("classification", "multilabel", "regression")


@settings(max_examples=30, deadline=None)
@given(kind=st.sampled_from(KINDS), rows=st.integers(2, 40), seed=st.integers(0, 10**6))
def test_swapping_the_models_turns_the_comparison_around(made_up, kind, rows, seed):
    task, labels, a = made_up(kind, rows, seed=seed)
    b = np.random.default_rng(seed).permutation(a)
    there, back = (compare(task, labels, *pair, seed=0, resamples=100) for pair in ((a, b), (b, a)))
    assert there.difference == pytest.approx(-back.difference, abs=1e-9)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-9)
    assert there.p == back.p
    assert {there.verdict, back.verdict} in ({"better", "worse"}, {"cannot tell"})
    assert (there.only_a_right, there.mcnemar_p) == (back.only_b_right, back.mcnemar_p)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_cannot_be_told_from_itself(made_up, kind):
    task, labels, scores = made_up(kind, 100, seed=0)
    found = compare(task, labels, scores, scores, seed=0, resamples=200)
    assert (found.verdict, found.difference, found.p, found.changed) == ("cannot tell", 0, 1, ())


@pytest.mark.long
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_of_two_equally_good_models_neither_is_called_better_more_often_than_chance_allows(made_up, kind):
    verdicts = []
    for seed in range(300):
        task, labels, a = made_up(kind, 120, seed=seed)
        noise = np.random.default_rng(10_000 + seed)
        if kind == "regression":
            b = (np.array(labels) + noise.normal(0, 2 / 1.5, 120))[:, None].astype(np.float32)
        else:
            meant = task.targets(labels)[:, None] == np.arange(3)
            b = task.scores((1.5 * (2 * meant - 1) / 2 + noise.normal(0, 1, meant.shape)).astype(np.float32))
        verdicts.append(compare(task, labels, a, b, seed=seed, resamples=200).verdict)
    assert verdicts.count("better") / 300 <= 0.025 + 0.02
    assert 1 - verdicts.count("cannot tell") / 300 <= 0.05 + 0.025


def test_five_rows_are_never_enough_to_call_a_model_better(made_up):
    task, labels, _ = made_up("classification", 5, seed=0)
    perfect = (task.targets(labels)[:, None] == np.arange(3)).astype(np.float32)
    found = compare(task, labels, perfect, np.roll(perfect, 1, axis=1), seed=0, resamples=1000)
    assert found.value_a > found.value_b == 0
    assert found.verdict == "cannot tell"


@pytest.mark.parametrize("kind", KINDS)
def test_a_clear_difference_is_found(made_up, kind):
    task, labels, good = made_up(kind, 400, seed=1, skill=4.0)
    _, _, bad = made_up(kind, 400, seed=1, skill=1.0)
    found = compare(task, labels, good, bad, seed=0, resamples=300)
    assert found.verdict == "better" and found.low > 0 and found.p < 0.01


def test_mcnemar_counts_the_rows_that_one_model_alone_gets_right(made_up):
    task, labels, a = made_up("classification", 300, seed=1, skill=3.0)
    _, _, b = made_up("classification", 300, seed=1, skill=2.0)
    found = compare(task, labels, a, b, seed=0, resamples=100)
    right_a, right_b = (np.array(task.decide(scores)) == np.array(labels) for scores in (a, b))
    assert found.only_a_right - found.only_b_right == right_a.sum() - right_b.sum()
    only = (right_a & ~right_b).sum(), (right_b & ~right_a).sum()
    assert found.mcnemar_p == pytest.approx(binomtest(int(min(only)), int(sum(only)), 0.5).pvalue)
    assert set(found.changed) >= set(np.flatnonzero(right_a != right_b).tolist())


def test_the_sentence_names_the_verdict_in_both_languages(made_up):
    task, labels, good = made_up("classification", 300, seed=1, skill=4.0)
    _, _, bad = made_up("classification", 300, seed=1, skill=1.0)
    found = compare(task, labels, good, bad, seed=0, resamples=100)
    assert found.sentence("m-2", "m-1").startswith("m-2 is better than m-1: macro F1 0.")
    use_language("zh")
    assert found.sentence("m-2", "m-1").startswith("“m-2”优于“m-1”：宏平均 F1")
    use_language(None)
