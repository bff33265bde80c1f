"""Comparisons and searches in a real browser: started, followed, judged by what quality costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tuneloop.core.paths import Workspace
from tuneloop.studio.jobs import Jobs

HOSTILE = """<img src=x onerror=alert(1)>{{7*7}}'"</script>"""


def write_project(folder: Path, model: Path) -> None:
    """A tuneloop.yaml with few texts and one cheap method to compare."""
    words = {"yes": "good good", "no": "bad bad"}
    rows = [f"{a} {text} {b},{label}" for a in "abcdef" for b in "ghijk" for label, text in words.items()]
    (folder / "texts.csv").write_text("\n".join(["text,label", *rows]))
    settings = {
        "name": "tiny",
        "data": {"source": "texts.csv", "split": {"dev": 0.25, "test": 0.25}, "clean": {"duplicates": "exact"}},
        "model": {"source": str(model), "max_tokens": 16},
        "training": {"epochs": 2, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []},
        "comparison": {"methods": ["full", "probe"], "seeds": [0, 1], "budgets": [4, "all"]},
    }
    (folder / "tuneloop.yaml").write_text(json.dumps(settings))


@pytest.mark.long
def test_a_comparison_is_started_from_the_form_followed_and_says_what_to_take(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], tiny_model: Path, tmp_path: Path
) -> None:
    write_project(tmp_path, tiny_model)
    studio, page = start_studio(tmp_path), new_page()
    page.goto(f"{studio.url}/compare/new")
    page.get_by_label("Seeds, with commas between").fill("0")
    page.get_by_label("Labels of each class, such as 8,32,all").fill("all")
    page.get_by_role("combobox", name="Methods").click()
    page.get_by_role("option", name="full").click()  # not this one
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Compare: The same without the studio").click()
    page.get_by_text("tuneloop compare --methods probe --seeds 0 --budgets all").wait_for()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_text("At work, or stopped").wait_for()
    page.locator("table a[href^='/compare/tiny-']").click(timeout=300_000)  # two runs, each in a process of its own

    page.get_by_text("With all labels,").first.wait_for()
    page.locator("canvas").wait_for()
    shown = page.get_by_role("table", name="What quality costs")
    expect(shown.get_by_role("row")).to_have_count(3)  # the head, the probe, the baseline
    expect(shown.get_by_text("take it")).to_have_count(1)
    page.get_by_role("combobox", name="Cost").click()
    page.get_by_role("option", name="bytes on disk").click()
    shown.get_by_role("columnheader", name="bytes on disk").wait_for()
    page.wait_for_url("**/compare/*cost=size_bytes*")
    page.reload()
    shown.get_by_role("columnheader", name="bytes on disk").wait_for()
    jobs = Jobs(Workspace(tmp_path / ".tuneloop"), tmp_path).all()
    assert [(job.arguments[0], job.state) for job in jobs] == [("compare", "done")]


def test_what_stands_in_a_comparison_is_shown_and_never_run(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], tmp_path: Path
) -> None:
    method = {
        "label": HOSTILE,
        "type": HOSTILE,
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
        "seconds": 3.0,
        "verdict": "best",
    }
    method |= {"parameters": 10, "trained_parameters": 5, "peak_memory_bytes": 9, "size_bytes": 9, "latency_ms": 1.0}
    method |= {"texts_per_s": 1.0, "difference": 0.0, "difference_low": 0.0, "difference_high": 0.0}
    budgets = [{"budget": count, "train_rows": count, "methods": [method]} for count in (4, 8)]
    advice = {"take": HOSTILE, "instead_of": None, "reason": "only"}
    found = {"name": HOSTILE, "metric": HOSTILE, "classes": True, "budgets": budgets, "refused": {HOSTILE: HOSTILE}}
    found |= {"recommendations": {"4": advice, "8": advice}, "failed": {}}
    trial = {
        "trial": 0,
        "state": "finished",
        "value": 0.5,
        "settings": {HOSTILE: HOSTILE},
        "seconds": 2,
        "failed": None,
    }
    tried = {"name": HOSTILE, "metric": HOSTILE, "space": {HOSTILE: {"choices": [HOSTILE]}}, "trials": [trial]}
    tried |= {"best": {"trial": 0, "value": 0.5, "settings": {HOSTILE: HOSTILE}, "run": "x-1"}}
    for path, content in {"comparisons/odd-a/comparison.json": found, "searches/odd-b/search.json": tried}.items():
        file = tmp_path / ".tuneloop" / path
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(content))
    studio, page = start_studio(tmp_path), new_page(viewport={"width": 360, "height": 740})
    for path in ("/compare", "/compare/odd-a", "/compare/odd-a?cost=labels", "/compare/odd-b"):
        page.goto(studio.url + path)
        page.wait_for_function("text => document.querySelector('#content').innerText.includes(text)", arg=HOSTILE)
        if path != "/compare":
            page.locator("canvas").wait_for()
        assert page.locator("#content img").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
    page.goto(f"{studio.url}/compare/nothing")
    page.get_by_role("alert").filter(has_text="There is no finished comparison or search nothing").wait_for()
