"""Watching a release in the browser: figures that move, a watch that is started, its alarms, and texts of strangers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.streams import events
from tuneloop.watch.base import Event, Feedback
from tuneloop.watch.sqlite_store import SqliteStore

JOB_MS = 240_000
HOSTILE = "<img src=x onerror=alert(1)> {{7*7}} \"'` :x {a|b}"


def served(n: int, *, seed: int, ago_s: float, first: int = 0, **more: Any) -> list[Event]:
    """Events of mood-1, a minute apart, the first so long ago."""
    begin = time.time() - ago_s
    return [
        replace(each, at=begin + 60.0 * row, release="mood-1")
        for row, each in enumerate(events(n, seed=seed, first=first, **more))
    ]


def keep(project: Path, given: list[Event], said: list[Feedback] | None = None) -> None:
    store = SqliteStore(project / ".tuneloop" / "events.sqlite")
    store.add_events(given)
    store.add_feedback(said or [])
    store.close()


def test_a_release_is_watched_while_it_answers(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], project: Path
) -> None:
    quiet, changed = served(200, seed=1, ago_s=40_000), served(250, seed=2, ago_s=20_000, first=200, foreign=0.9)
    said = [Feedback(f"k{row}", f"r.{row}", None, row % 4 > 0, time.time() - 10) for row in range(40)]
    keep(project, quiet + changed, said)
    studio, page = start_studio(project), new_page()
    page.goto(f"{studio.url}/watch?release=mood-1")
    page.get_by_text("texts are kept").wait_for()
    cards = page.locator(".figures")
    for figure in ("450", "75.0%", "answers judged: 40"):
        expect(cards).to_contain_text(figure)
    expect(page.locator("canvas")).to_have_count(4)
    page.get_by_text("The numbers as a table").click()
    page.get_by_role("columnheader", name="p95 ms").wait_for()

    keep(project, served(7, seed=3, ago_s=300, first=450))  # the page follows by itself
    cards.get_by_text("457").wait_for()
    page.get_by_text("This release was not watched yet.").wait_for()

    page.get_by_role("button", name="Start tuneloop watch").click()
    page.get_by_text("done: see what it says").wait_for(timeout=JOB_MS)
    page.get_by_role("cell", name="length of texts").wait_for()
    page.get_by_role("cell", name="longer than in the reference").nth(1).wait_for()
    page.get_by_role("table", name="Alerts").first.get_by_text("the log 20").first.wait_for()  # told after it was found
    expect(page.get_by_role("table", name="Slices")).to_contain_text("country=")
    expect(page.get_by_role("table", name="The most typical new texts")).to_contain_text("xa")
    page.get_by_text("The page of this watch").click()
    page.frame_locator("iframe.report").get_by_text("Watching mood-1").first.wait_for()
    page.get_by_text("tuneloop watch mood-1").nth(0).wait_for()
    page.get_by_role("combobox", name="Time").click()
    page.get_by_role("option", name="the last hour").click()
    page.wait_for_url("**span=1h**")
    page.locator(".figures").get_by_text("7", exact=True).first.wait_for()


def test_texts_of_strangers_stay_texts(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], project: Path
) -> None:
    bad = [
        replace(each, label=HOSTILE, text=HOSTILE, tags={"country": HOSTILE}) for each in served(30, seed=4, ago_s=2000)
    ]
    keep(project, bad)
    folder = project / ".tuneloop" / "watch" / "mood-1"
    folder.mkdir(parents=True)
    alarm = {"id": "1", "about": HOSTILE, "release": "mood-1", "at": 1.0, "sentence": HOSTILE, "details": {}}
    (folder / "alerts.jsonl").write_text(json.dumps(alarm) + "\n{half a li", encoding="utf-8")
    (folder / "watch.json").write_text(json.dumps(hostile_findings()), encoding="utf-8")
    studio, page = start_studio(project), new_page(viewport={"width": 360, "height": 740})
    page.goto(f"{studio.url}/watch?release=mood-1")
    page.get_by_text("texts are kept").wait_for()
    page.get_by_text("The numbers as a table").click()
    page.get_by_role("cell", name=f"{HOSTILE[:20]}").first.wait_for()
    expect(page.get_by_role("table", name="The most typical new texts")).to_contain_text(HOSTILE)
    expect(page.get_by_role("table", name="Alerts")).to_contain_text(HOSTILE)
    page.locator("canvas").nth(1).hover()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.goto(f"{studio.url}/watch?release=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    page.get_by_text("is not a valid name").wait_for()


def hostile_findings() -> dict[str, Any]:
    """A watch.json whose every text is hostile."""
    effect = {"value": 0.5, "reference": 0.1, "name": HOSTILE, "moved": 0.4}
    alarm = {"window": 0, "since": 0, "at": 50.0, "since_at": 1.0, "effect": effect}
    labels = {
        "skipped": False, "threshold": 20.0, "alarm": alarm, "windows": [{"p": 0.1, "capital": 30.0, "effect": effect}],
    }  # fmt: skip
    windows = [{"first_at": 1.0, "last_at": 2.0}]
    stream = {"windows": windows, "detectors": {"labels": labels}}
    return {
        "release": "mood-1", "created": "2026-01-01T00:00:00", "events": 50, "window": 50, "false_alarms": 0.05,
        "slices": [{"by": "country", "value": HOSTILE, "events": 50, **stream}], "accuracy": {}, **stream,
        "accuracy_windows": [{}],
        "warnings": [{"name": HOSTILE, "since": 1.0, "at": 2.0, "hits": 3, "expected": 1.0}],
        "new_texts": [{"event": HOSTILE, "text": HOSTILE, "pair": HOSTILE, "label": HOSTILE}], "to_label": [],
    }  # fmt: skip
