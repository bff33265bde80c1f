"""The playground, in a real browser on real releases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.pressing import press
from tests.browser.released import BAD

OPEN_MS = 240_000
"""That opening a model may take on a busy machine."""


def test_the_answer_and_its_reasons_follow_what_is_typed(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], released_project: Path
) -> None:
    studio, page = start_studio(released_project), new_page()
    page.set_default_timeout(OPEN_MS)
    page.goto(f"{studio.url}/playground?release=mood-1")
    field = page.get_by_label("text", exact=True)
    field.press_sequentially("a good good b")
    page.locator(".answer", has_text="yes").wait_for()
    page.locator(".word", has_text="good").first.wait_for()
    page.get_by_text("The values are exact.").wait_for()
    field.fill("a bad bad b")
    page.locator(".answer", has_text=BAD).wait_for()
    page.locator(".heat", has_text="bad").first.wait_for()
    page.get_by_role("button", name="Find the fewest words").click()
    page.get_by_text("answers of the model were needed; the change").or_(page.get_by_text("No such change")).wait_for()
    page.get_by_role("button", name="Find them").click()
    page.get_by_role("table", name="Nearest training rows").wait_for()

    page.reload()
    page.locator(".answer", has_text=BAD).wait_for()
    expect(field).to_have_value("a bad bad b")


def test_texts_that_look_like_scripts_stay_texts_and_are_quoted_in_what_can_be_copied(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], released_project: Path
) -> None:
    studio, page = start_studio(released_project), new_page(viewport={"width": 360, "height": 740}, color_scheme="dark")
    page.set_default_timeout(OPEN_MS)
    page.goto(f"{studio.url}/playground?release=mood-1")
    hostile = """good <img src=x onerror=alert(1)> {{7*7}} '"\n```\n<script>alert(2)</script>"""
    page.get_by_label("text", exact=True).fill(hostile)
    page.locator(".heat", has_text="<img src=x onerror=alert(1)>").first.wait_for()
    page.get_by_text("The same without the studio").first.click()
    page.locator(".code", has_text="tuneloop explain mood-1").wait_for()
    assert page.locator("main img, main script").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 360

    page.get_by_label("question").fill("How long is the warranty of the blue lamp?")
    press(page.get_by_role("button", name="Ask", exact=True), page.locator("blockquote", has_text="seven years"))


@pytest.mark.long
def test_a_model_that_writes_answers_in_a_conversation_that_a_reload_keeps(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], talking_project: Path
) -> None:
    studio, page = start_studio(talking_project), new_page()
    page.set_default_timeout(OPEN_MS)
    page.goto(f"{studio.url}/playground")
    message = page.get_by_label("your message")
    message.fill("a b c d")
    message.press("Enter")
    page.locator(".theirs", has_text="a").wait_for()
    page.get_by_role("button", name="Send").and_(page.locator(":enabled")).wait_for()
    said = page.locator(".theirs").inner_text()
    assert said.count("talk-1") == 1 and "…" not in said
    page.reload()
    page.locator(".mine", has_text="a b c d").wait_for()
    expect(page.locator(".theirs")).to_have_text(said, use_inner_text=True)
    page.get_by_role("button", name="New conversation").click()
    page.locator(".mine").wait_for(state="detached")


@pytest.mark.long
def test_a_long_explanation_in_one_tab_leaves_the_other_tabs_alone(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], released_project: Path
) -> None:
    studio, one, other = start_studio(released_project), new_page(), new_page()
    for each in (one, other):
        each.set_default_timeout(OPEN_MS)
    one.goto(f"{studio.url}/playground?release=mood-1")
    one.get_by_label("text", exact=True).fill("good " * 90)
    one.locator(".answer").wait_for()
    other.goto(f"{studio.url}/playground?release=mood-1")
    other.get_by_label("text", exact=True).fill("bad bad")
    other.locator(".answer", has_text=BAD).wait_for()
    other.locator(".heat").first.wait_for()
    one.locator(".heat").first.wait_for()
