"""Recall and nDCG over users against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tuneloop.recommend import Case, beside, measure, user_figures


def case(seen: list[int], wanted: list[int]) -> Case:
    return Case(0, True, np.array(seen), np.array(seen), np.array(wanted))


def test_figures_are_those_worked_out_by_hand() -> None:
    scores = np.array([9.0, 8, 7, 6, 5, 4])
    found = user_figures([case([0], [2, 5])], lambda _: scores, cut=3)
    assert found["recall_at_3"].tolist() == [0.5]  # of 1, 2, 3 only 2 is wanted
    assert found["ndcg_at_3"][0] == pytest.approx((1 / np.log2(3)) / (1 + 1 / np.log2(3)))


def test_a_seen_item_is_never_counted_however_high_it_scores() -> None:
    found = user_figures([case([0, 1], [2])], lambda _: np.array([9.0, 8, 1, 0]), cut=1)
    assert found["recall_at_1"].tolist() == [1.0]


def test_more_wanted_than_shown_is_a_full_ndcg_and_a_part_of_recall() -> None:
    found = user_figures([case([0], [1, 2, 3])], lambda _: np.arange(4.0), cut=2)
    assert found["ndcg_at_2"].tolist() == [1.0]
    assert found["recall_at_2"][0] == pytest.approx(2 / 3)


def test_equal_scores_do_not_favour_the_first_ids() -> None:
    asked = [case([0], [1])] * 400
    found = user_figures(asked, lambda _: np.zeros(11), cut=1)["recall_at_1"].mean()
    assert 0.04 < found < 0.18  # one of ten by chance


def test_a_recommender_that_is_better_on_the_same_users_is_told_so_and_equal_ones_are_not() -> None:
    asked = [case([0], [1 + each % 5]) for each in range(60)]
    good = user_figures(asked, lambda one: np.eye(8)[one.wanted[0]], cut=1)
    bad = user_figures(asked, lambda _: np.arange(8.0), cut=1)
    assert measure(good)["recall_at_1"].value == 1
    assert beside(good, bad)["recall_at_1"].verdict == "better"
    assert beside(bad, good)["recall_at_1"].verdict == "worse"
    assert beside(bad, bad)["recall_at_1"].verdict == "cannot tell"
