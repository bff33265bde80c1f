"""Updates and deployments in the browser: what is pressed changes what a real server answers."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

import tuneloop as tl
from tests.browser.mood import MARKS, write_rows
from tests.unit.loop.test_decisions import REASONS

HOSTILE = "<img src=x onerror=alert(1)> {{7*7}} \"'`"
JOB_MS = 240_000
WAIT_S = 90
"""Longer than anything takes; only a failing test waits so long."""


class Server:
    """A `tuneloop serve mood` process."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "serve.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tuneloop", "serve", "mood", "--port", "0"], cwd=folder, stdout=log, stderr=log,
                env={**os.environ, "TUNELOOP_LANG": "en"},
            )  # fmt: skip
        self.url = self._wait()

    def _wait(self) -> str:
        while self._process.poll() is None:
            found = re.search(r"Serving at (http://\S+)", self._log.read_text(encoding="utf-8"))
            if found:
                return found[1]
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
        raise AssertionError(self._log.read_text(encoding="utf-8"))

    def answer(self, session: str = "") -> tuple[str, str]:
        """Which release answers a text with `good`, and what."""
        headers = {"Content-Type": "application/json"} | ({"X-Session": session} if session else {})
        asked = urllib.request.Request(f"{self.url}/v1/predict", b'{"text": "good good a b"}', headers)
        with urllib.request.urlopen(asked, timeout=WAIT_S) as reply:
            body = json.load(reply)
        return body["release"], body["predictions"][0]["label"]

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(WAIT_S)


@pytest.fixture
def server(project: Path) -> Iterator[Server]:
    running = Server(project)
    yield running
    running.stop()


def until(holds: Callable[[], bool]) -> None:
    """Ask until it holds; each asking waits for an answer by itself."""
    end_s = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end_s


def choose(page: Any, label: str, option: str, *, nth: int = 0) -> None:
    page.get_by_role("combobox", name=label, exact=True).nth(nth).click()
    page.get_by_role("option", name=option, exact=True).click()


def press(page: Any, button: str) -> None:
    """A button, and that it is meant."""
    page.get_by_role("button", name=button, exact=True).click()
    page.get_by_role("button", name="Do it").click()


def test_what_is_pressed_changes_what_the_server_answers(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], project: Path, server: Server
) -> None:
    assert server.answer() == ("mood-2", "no")
    studio, page = start_studio(project), new_page()
    page.goto(f"{studio.url}/update?name=mood")
    state = page.locator(".figures").first
    state.get_by_text("by nobody's word: it is the newest").wait_for()

    choose(page, "Release", "mood-1")
    press(page, "Deploy")
    state.get_by_text("a rollback goes there").wait_for()
    until(lambda: server.answer() == ("mood-1", "yes"))

    choose(page, "Release", "mood-2")
    choose(page, "How", "canary: answers a share")
    page.get_by_label("Share").fill("0.5")
    press(page, "Deploy")
    state.get_by_text("canary 50%").wait_for()
    seen: set[tuple[str, str]] = set()

    def both_answer() -> bool:
        seen.add(server.answer(session=str(len(seen)) + str(time.monotonic_ns())))
        return seen == {("mood-1", "yes"), ("mood-2", "no")}

    until(both_answer)
    table = page.get_by_role("table", name="mood-2")
    table.get_by_role("cell", name=re.compile(r"% of [1-9]")).first.wait_for()  # the server has written its figures
    expect(table).to_contain_text("of 80")  # evidence against the bar, 4 / 0.05

    page.get_by_role("button", name="Roll back").click()
    page.get_by_text("mood-2 was taken out; mood-1 answers").wait_for()  # what would be done
    tl.rollback("mood", why="somebody else", workspace=project / ".tuneloop")
    page.get_by_role("cell", name="somebody else").wait_for()  # the page follows
    page.get_by_role("button", name="Do it").click()
    page.get_by_text("was changed meanwhile: mood-1 answers").wait_for()
    page.get_by_role("button", name="Close").click()
    assert server.answer()[0] == "mood-1"

    press(page, "Roll back")
    state.get_by_text("mood-2", exact=True).wait_for()
    until(lambda: server.answer() == ("mood-2", "no"))
    (found,) = tl.deployments("mood", workspace=project / ".tuneloop")
    assert [each["kind"] for each in found["history"]] == ["promote", "canary", "abort", "rollback"]

    page.get_by_role("button", name="Deploy", exact=True).click()  # the form still says canary, of what is current now
    page.get_by_text("Try another one beside it.").wait_for()


@pytest.mark.long
def test_an_update_is_started_and_its_decision_read(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], project: Path
) -> None:
    write_rows(project / "new.csv", 60, 3, MARKS)
    studio, page = start_studio(project), new_page()
    page.goto(f"{studio.url}/update")
    page.get_by_text("No update has decided anything yet.").wait_for()
    choose(page, "Release", "mood-1", nth=1)
    choose(page, "Files of new rows", "new.csv")
    page.keyboard.press("Escape")
    choose(page, "Steps (as configured)", "recalibrate")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Start tuneloop update").click()
    page.get_by_role("link", name=re.compile("^mood-20")).click(timeout=JOB_MS)
    page.get_by_role("table", name="recalibrate").get_by_role("cell", name="macro F1").first.wait_for()
    page.get_by_text("new.csv: 60 rows").first.wait_for()
    page.get_by_text("The page of this update").click()
    page.frame_locator("iframe.report").get_by_text("Update of mood-1").first.wait_for()
    (found,) = tl.updates("mood", workspace=project / ".tuneloop")
    assert found["current"] == "mood-1" and [each["step"] for each in found["tried"]] == ["recalibrate"]
    page.go_back()
    page.get_by_text("tuneloop update mood-1 --data new.csv --steps recalibrate").first.wait_for()


def test_names_and_reasons_of_strangers_stay_texts(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], project: Path
) -> None:
    shutil.copy(project / "old.csv", project / f"{HOSTILE}.csv")
    tl.deploy("mood-1", why=HOSTILE, workspace=project / ".tuneloop")
    rows = {"files": {HOSTILE: 3}, "feedback": {}, "path": HOSTILE}
    plain = {
        "id": "mood-1", "name": "mood", "created": "2026-01-01T00:00:00", "current": HOSTILE, "candidate": HOSTILE,
        "release": None, "verdict": "hold", "judged_on": "test", "other_candidates_tested": 0,
        "reasons": [*REASONS[:2], REASONS[2] | {"fields": {"rules": [HOSTILE]}}],
        "tried": [{"step": HOSTILE, "refused": HOSTILE}], "new_rows": rows, "judged_rows": {},
        "sets_left_out": {HOSTILE: "trained_on"},
    }  # fmt: skip
    (project / ".tuneloop" / "updates" / "mood-bad").mkdir(parents=True)
    (project / ".tuneloop" / "updates" / "mood-bad" / "decision.json").write_text(json.dumps(plain))
    studio, page = start_studio(project), new_page(viewport={"width": 360, "height": 740})
    page.goto(f"{studio.url}/update")
    expect(page.get_by_role("table", name="History")).to_contain_text(HOSTILE)
    page.get_by_role("combobox", name="Files of new rows").click()
    page.get_by_role("option", name=f"{HOSTILE}.csv").click()
    page.keyboard.press("Escape")
    page.get_by_label("Why, for the record").fill(HOSTILE)
    page.get_by_role("button", name="Roll back").click()
    page.get_by_text("Change what answers?").first.wait_for()
    page.get_by_role("button", name="Cancel").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("link", name="mood-bad").click()
    page.get_by_text(f"{HOSTILE}: 3 rows").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.goto(f"{studio.url}/update/..%2Fx")
    page.goto(f"{studio.url}/update?name=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    page.get_by_text("is not a valid name").wait_for()
