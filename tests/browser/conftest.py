"""A studio in a process of its own and a real Chromium; skipped where there is none."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.browser.released import released_project as released_project
from tests.browser.released import talking_project as talking_project

pytest.importorskip("nicegui")
sync_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WAIT_MS = 60_000
sync_api.expect.set_options(timeout=WAIT_MS)
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu"]


class RunningStudio:
    """A `tuneloop studio` process on a free port.

    Args:
        folder: the project.
        more: further words of the command line.
        environment: on top of this process's own.
    """

    def __init__(self, folder: Path, *more: str, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.log = folder / "studio.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tuneloop", "studio", "--port", "0", *more],
                cwd=folder, stdout=log, stderr=log,
                env={**os.environ, "TUNELOOP_LANG": "en", "HF_HUB_OFFLINE": "1", **(environment or {})},
            )  # fmt: skip
        self.url = self._wait()

    def _wait(self) -> str:
        while self._process.poll() is None:
            found = re.search(r"(?:Studio|Serving) at (http://\S+)", self.log.read_text(encoding="utf-8"))
            if found:
                return found[1]
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
        raise AssertionError(self.log.read_text(encoding="utf-8"))

    def stop(self) -> None:
        """As Ctrl-C does."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
            raise


@pytest.fixture
def start_studio() -> Iterator[Callable[..., RunningStudio]]:
    """Starts studios on project folders, and ends them after the test."""
    running: list[RunningStudio] = []

    def start(folder: Path, *more: str, **named: dict[str, str]) -> RunningStudio:
        running.append(RunningStudio(folder, *more, **named))
        return running[-1]

    yield start
    for each in running:
        each.stop()


@pytest.fixture(scope="session")
def two_moods(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of `mood.py`."""
    from tests.browser.mood import make_project

    return make_project(tmp_path_factory.mktemp("moods"), tiny_model)


@pytest.fixture
def project(two_moods: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(two_moods, tmp_path / "project"))


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    """Chromium of the system; ended with the module, as meanwhile no other test could run an event loop of its own."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def new_page(browser: sync_api.Browser) -> Iterator[Callable[..., sync_api.Page]]:
    """Opens tabs; at the end nothing may have been asked of another host and no script may have failed."""
    contexts, wrong = [], []

    def open_page(**settings: object) -> sync_api.Page:
        context = browser.new_context(**{"locale": "en-US", **settings})
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.on("request", lambda asked: wrong.append(asked.url) if _foreign(asked.url) else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        contexts.append(context)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong


def _foreign(url: str) -> bool:
    return not re.match(r"(https?|wss?)://(127\.0\.0\.1|localhost)[:/]|data:|blob:|about:", url)
