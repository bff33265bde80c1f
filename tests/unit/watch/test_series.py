"""Answers over time: counted in the database, once, and equal to what counting in Python gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.streams import events
from tuneloop.watch.base import Event, Feedback
from tuneloop.watch.series import Point, Series, took_ms, width_for
from tuneloop.watch.sqlite_store import SqliteStore
from tuneloop.watch.store import EventStore, Wanted


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventStore]:
    if request.param == "sqlite":
        made: EventStore = SqliteStore(tmp_path / "events.sqlite")
    else:
        url = request.getfixturevalue("postgres")
        from tuneloop.watch.postgres_store import PostgresStore

        made = PostgresStore(url)
    yield made
    made.close()


def by_hand(stream: list[Event], width_s: float) -> dict[float, Counter[str]]:
    found: dict[float, Counter[str]] = {}
    for each in stream:
        found.setdefault(each.at // width_s * width_s, Counter())[each.label or ""] += 1
    return found


def stream(n: int, first: int = 0) -> list[Event]:
    made = events(n, seed=first, first=first)
    return [replace(each, label=None, abstained=True) if row % 7 == 0 else each for row, each in enumerate(made)]


def test_what_is_new_is_added_to_what_was_counted(store: EventStore) -> None:
    first, second = stream(300), stream(250, first=300)
    other = [replace(each, id=f"o{each.id}", release="hotel-2") for each in first[:40]]
    series = Series("hotel-1", since=600.0, width_s=3600.0)
    assert not series.update(store) and series.points() == []
    store.add_events(first + other)
    assert series.update(store) and not series.update(store)
    store.add_events(second)
    assert series.update(store)
    seen = [each for each in first + second if each.at >= 600]
    points = series.points()
    assert {each.at: each.labels for each in points} == by_hand(seen, 3600.0)
    assert sum(each.abstained for each in points) == sum(each.abstained for each in seen)
    own = [each for each in seen if each.at < 3600]
    assert points[0].confidence == pytest.approx(np.mean([each.confidence for each in own]))
    again = Series("hotel-1", since=600.0, width_s=3600.0)
    again.update(store)
    assert [(each.at, each.labels, each.took_ms(0.5)) for each in again.points()] == [
        (each.at, each.labels, each.took_ms(0.5)) for each in points
    ]
    assert [each.at for each in series.points(since=7300.0)] == [each.at for each in points if each.at >= 7200]


@pytest.mark.parametrize("scale", [0.01, 1.0, 300.0])
def test_percentiles_are_exact_to_two_digits(store: EventStore, scale: float) -> None:
    made = [replace(each, took_ms=each.took_ms * scale) for each in stream(400)]
    store.add_events(made)
    series = Series("hotel-1", since=0.0, width_s=1e6)
    series.update(store)
    (point,) = series.points()
    for share in (0.5, 0.95, 0.99):
        exact = float(np.quantile([each.took_ms for each in made], share, method="inverted_cdf"))
        assert took_ms([point], share) == point.took_ms(share)
        assert point.took_ms(share) == pytest.approx(exact, rel=0.1, abs=0.1)
    assert Point(0.0).took_ms(0.5) is None and Point(0.0).confidence is None


def test_the_last_word_on_an_answer_says_whether_it_was_right(store: EventStore) -> None:
    made = [replace(each, label="yes") for each in events(200, seed=3)]
    store.add_events(made)

    def say(key: str, row: int, at: float, **told: str | bool | None) -> Feedback:
        return Feedback(key, f"r.{row}", **{"label": None, "good": None, **told}, at=at)  # type: ignore[arg-type]

    store.add_feedback(
        [
            say("a", 1, 100.0, good=False),
            say("b", 1, 7300.0, good=True),  # the later word
            say("c", 2, 90.0, label="yes"),
            say("d", 3, 100.0, label="no"),
            say("e", 70, 7400.0, good=False),
        ]
    )
    series = Series("hotel-1", since=0.0, width_s=3600.0)
    series.update(store)
    found = {each.at: (each.said, each.judged, each.right) for each in series.points() if each.said or each.judged}
    assert found == {0.0: (3, 3, 2), 3600.0: (0, 1, 0), 7200.0: (2, 0, 0)}
    store.add_feedback([say("f", 3, 50.0, good=True)])  # a later word, of a clock that was set back
    series._again_s = 0.0  # not to wait
    assert series.update(store)
    assert series.points()[0].right == 3
    store.add_events([replace(made[5], id="number", label=None)])  # an answer that is no class
    store.add_feedback([Feedback(key, "number", "4.5", good, at=9000.0) for key, good in (("g", None), ("h", True))])
    series._again_s = 0.0
    assert series.update(store)
    assert (series.points()[0].judged, series.points()[0].right) == (4, 4)
    assert store.judged(Wanted(release="other-1"), 60.0) == []


@pytest.mark.parametrize(("span_s", "width_s"), [(3600, 60), (86_400, 900), (30 * 86_400, 8 * 3600), (1e9, 1e9 / 120)])
def test_time_is_cut_into_as_many_stretches_as_can_be_seen(span_s: float, width_s: float) -> None:
    assert width_for(span_s) == width_s
