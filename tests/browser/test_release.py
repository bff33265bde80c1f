"""The pages of releases, in a real browser on a real workspace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.released import BAD, FILE

JOB_MS = 240_000
"""That a command may take on a busy machine."""
PARTS = ("", "/card", "/report", "/audit", "/gate", "/forms", "/files", "/origin")


@pytest.mark.long
def test_a_run_becomes_a_release_that_is_compared_checked_and_copied_out(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], released_project: Path
) -> None:
    studio, page = start_studio(released_project), new_page()
    page.set_default_timeout(JOB_MS)
    page.goto(f"{studio.url}/release")
    page.get_by_role("link", name="mood-1").wait_for()
    expect(page.get_by_role("row", name="mood-1")).to_contain_text("macro F1")
    page.get_by_text("Make a release of a finished run").click()
    page.get_by_role("button", name="Make the release").click()
    page.get_by_text("done", exact=True).wait_for()

    page.goto(f"{studio.url}/release/mood-2")
    page.get_by_role("table", name="What differs").get_by_text("training.epochs").wait_for()
    verdict = page.locator(".card", has_text="mood-1").last.inner_text()
    assert verdict.startswith("mood-2 ") and ("95 % interval" in verdict)
    page.get_by_label("Name of the folder").fill("copy")
    page.get_by_role("button", name="Copy", exact=True).last.click()
    page.get_by_text("done", exact=True).wait_for()
    assert (released_project / "exports/copy/manifest.json").is_file()

    page.goto(f"{studio.url}/release/mood-2/files")
    page.get_by_text("size as released").first.wait_for()
    page.get_by_role("button", name="Check every hash").click()
    page.get_by_text("files are those that were released.").wait_for()
    weights = released_project / ".tuneloop/releases/mood-2/model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    page.get_by_role("button", name="Check every hash").click()
    page.get_by_role("alert").wait_for()
    page.get_by_role("row", name="model.safetensors").get_by_text("changed").wait_for()
    weights.write_bytes(whole)


def test_where_a_release_comes_from_is_drawn_and_told_with_ways_to_go(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], released_project: Path
) -> None:
    studio, page = start_studio(released_project), new_page(viewport={"width": 360, "height": 740})
    page.goto(f"{studio.url}/release/mood-1/origin")
    page.locator(".origin").get_by_text(FILE, exact=True).wait_for()
    expect(page.locator(".origin li")).to_have_count(4)
    page.locator(".drawing canvas").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator(".origin").get_by_role("link", name="mood-1").click()
    page.get_by_role("heading", name="Against the release before").wait_for()
    page.get_by_text("It is the first release of its model.").wait_for()


def test_names_and_labels_that_look_like_scripts_stay_texts_on_every_part(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], released_project: Path
) -> None:
    studio, page = start_studio(released_project), new_page()
    page.set_default_timeout(JOB_MS)
    for part in PARTS:
        page.goto(f"{studio.url}/release/mood-1{part}")
        page.locator(".tabs [aria-current]").wait_for()
        page.get_by_text("Reading …").wait_for(state="hidden")
        assert page.locator("main img").count() == 0, part
    page.goto(f"{studio.url}/release/mood-1/card")
    page.get_by_role("cell", name=FILE).wait_for()
    page.goto(f"{studio.url}/release/mood-1/report")
    frame = page.frame_locator("iframe.report")
    frame.get_by_text(BAD).first.wait_for()
    page.goto(f"{studio.url}/release/mood-1/nowhere")
    page.locator(".empty").wait_for()
