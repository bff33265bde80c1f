"""What is said of a release's events as a whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.audited import GOOD, hotel_rows, word_model
from tests.streams import events
from tuneloop.core.drifting import DriftConfig
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.watch.base import Feedback
from tuneloop.watch.drift.accuracy import estimated, measured
from tuneloop.watch.drift.monitor import alarms_of, monitor
from tuneloop.watch.drift.reference import Reference, from_rows, read_reference, write_reference
from tuneloop.watch.drift.slices import shares
from tuneloop.watch.drift.typical import to_label, typical


def settings(**given: Any) -> DriftConfig:
    return DriftConfig(**{"window": 50, "detectors": ("labels", "length", "embedding")} | given)


def reference(n: int = 300) -> Reference:
    return Reference("hotel-1", tuple(events(n, seed=9)), (True,) * n, "release")


def test_a_shift_of_a_fifth_is_found_dated_and_its_texts_are_shown() -> None:
    stream = events(300, seed=1) + events(500, seed=2, foreign=0.2, first=300)
    found = monitor("hotel-1", stream, [], reference=reference(), config=settings(), quiet=True)
    json.dumps(found, allow_nan=False)
    alarms = alarms_of(found)
    assert "embedding" in {each["detector"] for each in alarms}
    assert all(each["window"] >= 6 and 4 <= each["since"] <= 9 for each in alarms)
    assert len(found["new_texts"]) == 5 and all("x" in each["text"] for each in found["new_texts"])
    assert sum("x" in each["item"] for each in found["to_label"]) >= 5
    shorter = settings(detectors=("length",))
    again = monitor("hotel-1", stream[:-50], [], reference=reference(), config=shorter, quiet=True)
    kept = found["detectors"]["length"]["windows"]
    assert kept[:-1] == again["detectors"]["length"]["windows"]  # more events change nothing of what was said


def test_without_drift_there_is_no_alarm_and_no_text_is_shown() -> None:
    found = monitor(
        "hotel-1", events(1000, seed=3), [], reference=None, config=settings(reference_events=200), quiet=True
    )
    assert alarms_of(found) == [] and found["new_texts"] == [] and found["to_label"] == []
    assert found["reference"] == {"source": "events", "events": 200} and len(found["windows"]) == 16


def test_a_change_in_one_slice_is_seen_there() -> None:
    stream = [
        replace(event, chars=event.chars * 3) if event.tags["country"] == "fr" and number > 600 else event
        for number, event in enumerate(events(1400, seed=5))
    ]
    found = monitor(
        "hotel-1", stream, [], reference=reference(),
        config=settings(detectors=("length",), slices=("country",), reference_events=100), quiet=True,
    )  # fmt: skip
    assert {each["slice"] for each in alarms_of(found)} >= {"country=fr"}
    assert "country=de" not in {each["slice"] for each in alarms_of(found)}


def test_slices_share_the_chance_of_a_false_alarm_however_many_come() -> None:
    whole, parts = shares(0.05, 1000, watched_apart=True)
    assert whole + sum(parts) <= 0.05 and parts[0] == 0.0125
    assert shares(0.05, 0, watched_apart=False) == (0.05, [])


def test_no_events_and_wrong_names_are_refused() -> None:
    with pytest.raises(DataError, match="no events"):
        monitor("hotel-1", [], [], reference=None, config=settings())
    with pytest.raises(ConfigError, match="lenght"):
        monitor("hotel-1", events(60, seed=1), [], reference=None, config=settings(detectors=("lenght",)))


def test_a_reference_is_the_release_on_rows_it_did_not_learn_and_comes_back_from_its_file(tmp_path: Path) -> None:
    rows = hotel_rows(60, seed=1)
    made = from_rows("hotel-1", word_model(), rows, size=40)
    assert len(made.events) == 40 and all(made.right)
    assert all((event.label == "yes") == any(word in str(event.text).split() for word in GOOD) for event in made.events)
    write_reference(tmp_path / "deep" / "reference.parquet", made)
    assert read_reference(tmp_path / "deep" / "reference.parquet") == made
    (tmp_path / "reference.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="cannot be read"):
        read_reference(tmp_path / "reference.parquet")


def test_accuracy_is_estimated_from_confidence_with_an_interval_that_holds_the_truth() -> None:
    random = np.random.default_rng(0)

    def answered(n: int, low: float) -> tuple[list[Any], list[bool]]:
        made = [replace(event, confidence=float(random.uniform(low, 1))) for event in events(n, seed=n)]
        return made, [bool(random.random() < (event.confidence or 0)) for event in made]

    before, right = answered(600, 0.7)
    now, truth = answered(400, 0.5)
    found = estimated(Reference("hotel-1", tuple(before), tuple(right), "release"), now)
    assert set(found) == {"confidence", "difference", "threshold"}
    for name in ("confidence", "difference"):
        assert found[name].low <= np.mean(truth) <= found[name].high  # type: ignore[operator]
    assert set(estimated(Reference("hotel-1", tuple(before), (None,) * 600, "events"), now)) == {"confidence"}


def test_measured_accuracy_takes_the_last_word_on_each_answer() -> None:
    first, second, third = events(3, seed=1, label="yes")
    number = replace(third, id="number", label=None)  # an answer that is no class: its label says nothing
    said = [
        (first, Feedback("a", first.id, "no", None, at=1.0)),
        (first, Feedback("b", first.id, "yes", None, at=2.0)),
        (second, Feedback("c", second.id, None, False, at=3.0)),
        (third, Feedback("d", third.id, None, None, at=4.0, comment="?")),
        (number, Feedback("e", number.id, "4.5", None, at=5.0)),
    ]
    figure = measured(said)
    assert (figure.value, figure.n) == (0.5, 2) and figure.low is not None and figure.low < 0.2
    assert measured([(number, Feedback("e", number.id, "4.5", True, at=5.0))]).value == 1.0
    back = [replace(feedback, number=place, at=-feedback.at) for place, (_, feedback) in enumerate(said, 1)]
    assert measured([(event, each) for (event, _), each in zip(said, back, strict=True)]) == figure  # a clock set back


def test_new_texts_are_found_by_words_where_no_vectors_are_kept() -> None:
    before, now = events(100, seed=1, vector=None), events(60, seed=2, foreign=0.3, vector=None)
    assert all("x" in str(now[row].text) for row in typical(before, now, 4))
    suggestions = to_label(before, now, 6)
    assert len(suggestions) == 6 and len({each.item for each in suggestions}) == 6
    assert typical(events(50, seed=1, text=None), events(50, seed=2, text=None), 4) == []
