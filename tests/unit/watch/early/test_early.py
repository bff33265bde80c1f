"""Early warnings on simulated streams, of which it is known when they burst."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import poisson

from tuneloop.core.errors import ConfigError
from tuneloop.watch.base import Event
from tuneloop.watch.early.burst import FEWEST, Burst
from tuneloop.watch.early.rules import Warn, Warned, bursts, matcher, read_warnings
from tuneloop.watch.early.scoring import Planted, Score, score

HOURS = 720


def alarms(counts: Any, texts: Any, bar: float) -> list[int]:
    burst = Burst(bar)
    return [hour for hour, (k, n) in enumerate(zip(counts, texts, strict=True)) if burst.add(int(k), int(n)).alarm]


@pytest.mark.parametrize("shape", [None, 2.0])
def test_false_alarms_in_months_without_a_burst_are_no_more_than_allowed(shape: float | None) -> None:
    random = np.random.default_rng(0)
    months, found = 8, 0
    for _ in range(months):
        texts = random.poisson(40 + 30 * np.sin(np.arange(HOURS) / 24 * 2 * np.pi))
        rates = 0.03 * (1 if shape is None else random.gamma(shape, 1 / shape, HOURS))
        found += len(alarms(random.poisson(rates * texts), texts, HOURS))
    assert poisson.sf(found - 1, months) > 0.01  # one a month is allowed


def test_five_times_as_many_complaints_are_seen_within_hours_and_dated() -> None:
    random = np.random.default_rng(1)
    delays = []
    for _ in range(20):
        counts = random.poisson(1.2, 300)
        counts[250:] = random.poisson(6.0, 50)
        burst, texts = Burst(HOURS), np.full(300, 40)
        seen = [burst.add(int(k), int(n)) for k, n in zip(counts, texts, strict=True)]
        first = next(hour for hour in range(250, 300) if seen[hour].alarm)
        delays.append(first - 249)
        assert abs(first + 1 - seen[first].since - 250) <= 3
    assert np.median(delays) <= 4


def test_more_of_everything_is_no_burst() -> None:
    random = np.random.default_rng(2)
    texts = np.repeat([40, 200], [250, 50])
    assert alarms(random.poisson(0.03 * texts), texts, HOURS) == []


def test_nothing_is_told_before_there_is_a_history() -> None:
    assert alarms([0] * 3 + [50] + [0] * (FEWEST - 4), [60] * FEWEST, 10) == []


def served(hours: int, *, names: dict[int, int]) -> list[Event]:
    """Two texts an hour about nothing, and a few complaints about Acme in some hours."""
    found = []
    for hour in range(hours):
        complaints = names.get(hour, hour % 8 == 0)
        for number in range(20):
            text = "acme lost my parcel" if number < complaints else "acmeology is a word"
            found.append(Event(f"{hour}.{number}", 3600.0 * hour + number, "m-1", "", "negative", 0.9, text=text))
    return found


def test_a_burst_names_its_texts_and_the_hour_that_goes_on_waits() -> None:
    warn = Warn(name="acme", words=("Acme",), labels=("negative",))
    events = served(120, names={100: 6, 101: 7, 102: 8})
    (found,) = bursts(warn, events)
    assert found.since == 100 * 3600 and found.at <= 103 * 3600 and found.hits >= 6 and found.expected < 1
    assert all(int(each.partition(".")[0]) in (100, 101, 102) for each in found.events)
    assert bursts(warn, [event for event in events if event.at < 3600 * 100 + 30]) == []
    assert bursts(Warn(name="acme", words=("Acme",), labels=("positive",)), events) == []


def test_words_have_borders_in_spaced_scripts_and_none_in_chinese() -> None:
    about = matcher(Warn(name="a", words=("Acme", "京东"), labels=("n",)))
    assert about("ACME!") and about("在京东买的") and not about("acmeology")
    assert matcher(Warn(name="a", regex="acme (corp|inc)", labels=("n",)))("an acme inc thing")


@pytest.mark.parametrize(
    ("text", "said"),
    [("warnings: [{name: a, labels: [n]}]", "either words or regex"), ("[]", "no early warnings"), ("a: [", "cannot"),
     ("warnings: [{name: a, regex: '(?=x)', labels: [n]}]", "expression"),
     ("warnings: [{name: a, words: [b], labels: [n]}, {name: a, words: [c], labels: [n]}]", "one name")],
)  # fmt: skip
def test_a_wrong_file_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "early.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_warnings(tmp_path / "early.yaml")


def test_what_a_warning_is_about_may_be_told_by_more_than_words() -> None:
    warn = Warn(name="acme", words=("Acme",), labels=("negative",))
    events = [
        Event(each.id, each.at, "m-1", "", each.label, 0.9, tags={"about": (each.text or "").split()[0]})
        for each in served(120, names={100: 6, 101: 7, 102: 8})
    ]
    assert bursts(warn, events) == []
    (found,) = bursts(warn, events, about=lambda event: event.tags["about"] == "acme")
    assert found.since == 100 * 3600


def test_a_score_tells_delays_late_alarms_and_false_ones_apart() -> None:
    planted = [Planted("a", 100, 200), Planted("b", 100, 200)]
    found = [
        Warned(name, at, 0, 1, 0.0, ()) for name, at in (("a", 130), ("a", 190), ("b", 220), ("b", 90), ("c", 150))
    ]
    assert score(found, planted, late_s=50) == Score((30, None), 2)
    assert score([], planted, late_s=50) == Score((None, None), 0)
