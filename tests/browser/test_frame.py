"""What stands around every page, seen in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tuneloop.core.paths import Workspace
from tuneloop.studio.jobs import Jobs
from tuneloop.studio.pages import routes

PATHS = [route.path for route in routes() if route.icon]


@pytest.mark.long
def test_a_started_command_is_followed_to_its_end_and_again_after_a_restart(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], tmp_path: Path
) -> None:
    studio = start_studio(tmp_path)
    job = Jobs(Workspace(tmp_path / ".tuneloop"), tmp_path).start(["methods", "--task", "tagging"])
    page = new_page()
    page.goto(f"{studio.url}/jobs")
    page.get_by_role("link", name="tuneloop methods --task tagging").click()
    page.get_by_text("done", exact=True).wait_for()
    expect(page.locator(".output")).to_contain_text("lora")

    studio.stop()
    again = start_studio(tmp_path)
    page.goto(f"{again.url}/jobs/{job.id}")
    page.get_by_text("done", exact=True).wait_for()
    expect(page.locator(".output")).to_contain_text("lora")


def test_the_language_and_the_dark_are_kept_in_the_browser(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], tmp_path: Path
) -> None:
    studio, page = start_studio(tmp_path), new_page()
    page.goto(f"{studio.url}/jobs?x=1")
    expect(page.locator("html")).to_have_attribute("lang", "en-US")
    page.get_by_role("link", name="中文").click()
    page.get_by_role("heading", name="已启动").wait_for()
    page.wait_for_url("**/jobs?x=1")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.get_by_role("button", name="亮或暗").click()
    page.locator("body.body--dark").wait_for()
    page.reload()
    page.locator("body.body--dark").wait_for()
    page.get_by_role("heading", name="已启动").wait_for()


@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_fits_its_window_and_can_be_reached_by_keyboard(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], tmp_path: Path, width: int
) -> None:
    studio, page = start_studio(tmp_path), new_page(viewport={"width": width, "height": 740})
    for path in PATHS:
        page.goto(studio.url + path)
        page.locator("h1").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        expect(page.locator("[aria-current=page]")).to_have_count(1)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"


def test_without_the_key_nothing_is_shown_and_with_it_everything(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], tmp_path: Path
) -> None:
    key = "k" * 40
    studio, page = start_studio(tmp_path, environment={"TUNELOOP_API_KEY": key}), new_page()
    page.goto(f"{studio.url}/jobs")
    page.wait_for_url(f"{studio.url}/login")
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button").click()
    page.get_by_text("This is not the right key.").wait_for()
    page.get_by_label("API key").fill(key)
    page.get_by_role("button").click()
    page.locator("h1").wait_for()
    page.goto(f"{studio.url}/jobs")
    page.get_by_role("heading", name="Started").wait_for()
