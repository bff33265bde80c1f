"""Neighbours and likeness of items, and retrieval followed by ranking."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from tuneloop.knowledge.graph import Graph, Triple
from tuneloop.recommend import (
    Interactions,
    ItemNeighbours,
    Recommender,
    cases,
    cosines,
    popularity,
    shared_facts,
    split_by_time,
    user_figures,
)

CHOICES = csr_array(np.array([[1, 1, 0, 0], [1, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 0]], float))


def test_likeness_is_the_cosine_of_columns_shrunk_by_hand() -> None:
    near = ItemNeighbours(CHOICES, shrink=2)
    assert near.together[0].tolist() == [0, 2, 0, 1]
    assert near.likeness[0, 1] == pytest.approx(2 / (np.sqrt(3 * 2) + 2))
    assert near.scores([0, 2]) == pytest.approx(near.likeness[:, 0] + near.likeness[:, 2])
    assert popularity(CHOICES).tolist() == [3, 2, 1, 2]


def test_only_the_nearest_are_kept_and_they_are_the_pairs() -> None:
    near = ItemNeighbours(CHOICES, neighbours=1, shrink=0)
    assert near.likeness[1, 0] > 0
    assert near.likeness[3, 0] == 0
    assert (0, 1) in ItemNeighbours(CHOICES).pairs(least=3, most=1)
    assert {one for one, _ in ItemNeighbours(CHOICES).pairs(least=2, most=2)} == {0, 1, 3}


def test_what_items_share_in_a_graph_is_counted() -> None:
    facts = [("a", "actor", "x"), ("a", "actor", "y"), ("b", "actor", "x"), ("b", "actor", "y"), ("c", "sequel", "a")]
    graph, items = Graph(Triple(*fact) for fact in facts), ["a", "b", None, "c"]
    assert shared_facts(graph, items, "actor").tolist() == [[0, 2, 0, 0], [2, 0, 0, 0], [0] * 4, [0] * 4]


def test_cosines_are_those_of_rows_without_the_item_itself() -> None:
    assert cosines(np.array([[1.0, 0], [1, 1], [0, 0]]))[0].tolist() == pytest.approx([0, 0.5**0.5, 0])


@pytest.fixture(scope="module")
def world() -> Interactions:
    """Two tastes of twenty items each, which a text tells apart; users like their own taste alone."""
    random, rows = np.random.default_rng(0), []
    for user in range(160):
        mine = 20 * (user % 2) + random.permutation(20)[:12]
        rows += [(user, item, 5.0, user + place / 100) for place, item in enumerate(mine)]
    users, items, values, times = (np.array(column) for column in zip(*rows, strict=True))
    return Interactions(users, items, values, times, tuple(map(str, range(160))), tuple(map(str, range(40))))


def taught(world: Interactions) -> tuple[Recommender, list]:
    before, after = split_by_time(world, 0.8)
    past, later = split_by_time(before, 0.6)
    kind = cosines(np.eye(2)[np.arange(40) // 20])
    first = Recommender(past, least=4, likenesses={"kind": kind}, numbers=[np.arange(40.0)])
    ours = Recommender(before, least=4, likenesses={"kind": kind}, numbers=[np.full(40, np.nan)])
    ours.fit(*first.lessons(cases(past, later, least=4, first=3)))
    return ours, cases(before, after, least=4, first=3)


def test_a_taught_recommender_keeps_to_a_new_users_taste_and_popularity_does_not(world: Interactions) -> None:
    ours, asked = taught(world)
    figures = user_figures(asked, lambda case: ours.scores(case.history, case.seen), cut=5)
    plain = user_figures(asked, lambda _: ours.popular, cut=5)
    assert len(asked) > 20
    assert figures["recall_at_5"].mean() > 1.3 * plain["recall_at_5"].mean()


def test_the_same_lessons_give_the_same_scores_and_the_seen_are_never_shown(world: Interactions) -> None:
    (first, asked), (second, _) = taught(world), taught(world)
    scores = first.scores(asked[0].history, asked[0].seen)
    assert np.array_equal(scores, second.scores(asked[0].history, asked[0].seen))
    assert np.isneginf(scores[asked[0].seen]).all()


def test_without_a_history_popularity_is_all_there_is(world: Interactions) -> None:
    ours, _ = taught(world)
    none = np.array([], np.int64)
    assert np.array_equal(ours.scores(none, none), ours.popular)
