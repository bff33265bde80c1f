"""Runs in a real browser, on a real workspace: watched, stopped, resumed, compared."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.pressing import press
from tuneloop import api
from tuneloop.core.paths import Workspace
from tuneloop.studio.jobs import Jobs
from tuneloop.training.runs import run_rows

HOSTILE = """<img src=x onerror=alert(1)>{{7*7}}'"</script>"""
STEP = "+(document.querySelector('.run-state')?.textContent.match(/step ([0-9,]+)/)?.[1] ?? '-1').replaceAll(',', '')"


def write_project(folder: Path, model: Path) -> Path:
    """A tuneloop.yaml with texts that a tiny model learns in a moment."""
    with (folder / "texts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for a, b, (word, label) in product(
            "abcdefg", "hijkl", (("good good", "yes"), ("bad bad", "no"), ("bad a bad", "no"))
        ):
            writer.writerow([f"{a} {word} {b}", label])
    settings = {
        "name": "tiny",
        "data": {"source": "texts.csv", "split": {"dev": 0.25, "test": 0.25}, "clean": {"duplicates": "exact"}},
        "model": {"source": str(model), "max_tokens": 16},
        "training": {"epochs": 15, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []},
    }
    (folder / "tuneloop.yaml").write_text(json.dumps(settings))
    return folder


@pytest.fixture
def no_job_left(trained: Path) -> Iterator[None]:
    """Whatever becomes of the test, nothing that it started goes on."""
    yield
    for job in Jobs(Workspace(trained / ".tuneloop"), trained).running():
        with suppress(ProcessLookupError):
            os.kill(job.pid or 0, signal.SIGKILL)


@pytest.fixture(scope="module")
def trained(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two finished runs, of which one was evaluated and the other hardly learnt anything."""
    folder = write_project(tmp_path_factory.mktemp("runs"), tiny_model)
    for settings in ({}, {"training.learning_rate": 1e-6, "training.epochs": 1}):
        run = api.tune(api.open_project(folder / "tuneloop.yaml", overrides=settings), quiet=True)
        api.evaluate(run, quiet=True)
    return folder


def steps(page: Any) -> int:
    """The step that the page says a run is at."""
    found = re.search(r"step ([\d,]+) of", page.locator(".run-state").inner_text())
    return int(found[1].replace(",", "")) if found else 0


def test_a_run_is_started_watched_stopped_and_resumed_and_nothing_is_lost_by_a_reload(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], trained: Path, no_job_left: None
) -> None:
    studio, page = start_studio(trained), new_page()
    page.goto(f"{studio.url}/runs/new")
    page.get_by_label("Epochs").fill("30000")
    page.get_by_label("Seed").fill("7")
    page.get_by_role("button", name="The same without the studio").click()
    page.get_by_text("tuneloop tune --set training.epochs=30000.0 --set seed=7").wait_for()
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("link", name="Open its run").click()

    page.get_by_role("button", name="Stop", exact=True).wait_for()
    page.evaluate("window.kept = true")
    page.wait_for_function(STEP + " > 0")
    first = steps(page)
    page.wait_for_function("document.querySelector('.run-state')?.textContent.includes('left')")
    page.wait_for_function(STEP + f" > {first}")
    expect(page.locator("canvas")).to_have_count(3)
    assert page.evaluate("window.kept")  # the page itself stood still

    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Resume", exact=True).wait_for()
    stopped = steps(page)
    page.reload()
    page.get_by_role("button", name="Resume", exact=True).wait_for()
    assert steps(page) == stopped

    settings = (trained / "tuneloop.yaml").read_text()
    (trained / "tuneloop.yaml").write_text(settings.replace('"epochs": 15', '"epochs": 2'))  # it goes on with its own
    page.get_by_role("button", name="Resume", exact=True).click()
    page.get_by_role("button", name="Stop", exact=True).wait_for()
    page.wait_for_function(STEP + f" > {stopped}")
    other = new_page()
    other.goto(page.url)
    other.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Resume", exact=True).wait_for()
    (trained / "tuneloop.yaml").write_text(settings)
    assert [row.state for row in run_rows(Workspace(trained / ".tuneloop"))].count("stopped") == 1
    shutil.rmtree(trained / ".tuneloop" / "runs" / page.url.rpartition("/")[2])


def test_runs_are_listed_found_and_compared_with_what_the_test_says(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], trained: Path
) -> None:
    studio, page = start_studio(trained), new_page()
    page.goto(f"{studio.url}/runs")
    names = [row.id for row in run_rows(Workspace(trained / ".tuneloop"))]
    for name in names:
        page.get_by_role("checkbox", name=f"Choose {name}").click()
    better = page.get_by_text(f"{names[1]} is better than {names[0]}: macro F1", exact=False)
    press(page.get_by_role("button", name="Compare the chosen"), better)
    page.get_by_role("cell", name="training.learning_rate").wait_for()
    page.get_by_role("cell", name="macro F1 on test").wait_for()
    expect(page.locator("canvas")).to_have_count(3)

    page.goto(f"{studio.url}/runs/{names[1]}")
    report = page.frame_locator("iframe.report")
    page.locator("iframe.report").scroll_into_view_if_needed()
    report.get_by_role("heading", name=names[1]).wait_for()
    page.goto(f"{studio.url}/runs")
    page.get_by_label("Name holds").fill(names[0][-4:])
    page.get_by_role("link", name=names[1]).wait_for(state="detached")
    page.wait_for_url(f"{studio.url}/runs?q={names[0][-4:]}")
    page.reload()
    page.get_by_role("link", name=names[0]).wait_for()
    assert page.get_by_role("link", name=names[1]).count() == 0


def test_what_stands_in_a_run_is_shown_and_never_run(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], tmp_path: Path
) -> None:
    names = ["odd-20260101-000000-aaaa", "odd-20260102-000000-bbbb"]
    for number, name in enumerate(names):
        folder = tmp_path / ".tuneloop" / "runs" / name
        folder.mkdir(parents=True)
        settings: dict[str, Any] = {"seed": number, "name": "odd", "method": {"type": "full"}}
        settings |= {"data": {"source": f"{number}{HOSTILE}.csv"}}
        (folder / "config.yaml").write_text(json.dumps(settings | {"task": {"type": "classification"}}))
        info = {"status": "finished", "snapshot_hash": HOSTILE, "metric": HOSTILE, "best_dev": {HOSTILE: 0.5}}
        model = {"source": HOSTILE, "parameters": 10, "trained_parameters": 5}
        info |= {"model": model, "environment": {HOSTILE: HOSTILE}, "started": HOSTILE}
        info |= {"chosen": {"why": HOSTILE}}
        (folder / "run.json").write_text(json.dumps(info))
        rows = [{"step": 1, "loss": 1.0, f"dev_{HOSTILE}": 0.5, "dev_x": 1.0}]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        comparison = {"against": HOSTILE, "metric": HOSTILE, "verdict": "better", "value_a": 1.0, "value_b": 0.5}
        comparison |= {"difference": 0.5, "low": 0.4, "high": 0.6}
        figures = {HOSTILE: {"value": 0.5, "low": 0.4, "high": 0.6}}
        evaluation = {"metrics": figures, "comparisons": [comparison], "task": {"primary_metric": HOSTILE}}
        (folder / "evaluation.json").write_text(json.dumps(evaluation))
        (folder / "report.html").write_text(f"<script>{'alert(1)'}</script>{HOSTILE}")
    studio, page = start_studio(tmp_path), new_page()
    for path in ("/runs", f"/runs/{names[0]}", f"/runs/compare?runs={','.join(names)}"):
        page.goto(studio.url + path)
        page.wait_for_function("text => document.querySelector('#content').innerText.includes(text)", arg=HOSTILE)
        if path != "/runs":
            page.locator("canvas").nth(2).wait_for()
        assert page.locator("#content img").count() == 0
    page.goto(f"{studio.url}/runs/" + "..%2f..%2fetc")
    page.goto(f"{studio.url}/runs/nothing-here")
    page.get_by_role("alert").filter(has_text="There is no run nothing-here").wait_for()
