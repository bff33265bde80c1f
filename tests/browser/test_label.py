"""Labelling by keyboard in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tuneloop.api import label_next, label_status
from tuneloop.api.labelling import open_labels

HOSTILE = """<img src=x onerror=alert(1)> {{7*7}} "quoted" 'twice' </script><script>alert(2)</script>"""


def begin(folder: Path, *, task: str = "classification", texts: int = 8, classes: str = "bad,good") -> Path:
    """A project of texts without labels; the configuration."""
    rows = [{"text": f"text {number}", "label": None} for number in range(texts)]
    (folder / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = folder / "tuneloop.yaml"
    path.write_text(json.dumps({"name": "mood", "data": {"source": "texts.jsonl"}, "task": task}))
    return path


def answers(path: Path) -> dict[str, dict[str, Any]]:
    """By person and text."""
    found: dict[str, dict[str, Any]] = {}
    with open_labels(path) as store:
        texts = store.items()
        for each in store.answers(skipped=True):
            found.setdefault(each.annotator, {})[texts[each.item].text] = None if each.skipped else each.label
    return found


def shown(page: Any) -> str:
    """The text that is asked about."""
    return str(page.locator("[data-item] .asked").first.inner_text())


def hears_keys(page: Any) -> None:
    """A page that is just there has no line to the server yet."""
    page.locator("body[data-keys=heard]").wait_for()


def press(page: Any, key: str) -> str:
    """Press a key for the text on the screen, and wait for another; the text it was pressed for."""
    text, item = shown(page), page.locator("[data-item]").get_attribute("data-item")
    hears_keys(page)
    page.keyboard.press(key)
    page.locator(f'[data-item]:not([data-item="{item}"]), .empty').wait_for()
    return text


def test_a_person_labels_by_keyboard_and_a_reload_and_another_tab_lose_nothing(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], tmp_path: Path
) -> None:
    path = begin(tmp_path)
    studio, page = start_studio(tmp_path), new_page()
    page.goto(f"{studio.url}/label")
    page.get_by_label("Your name").fill("anna")
    page.keyboard.press("Enter")
    page.get_by_label("New classes, with commas").fill("bad,good")
    page.get_by_role("spinbutton", name="How many").fill("4")
    page.get_by_label("Chosen by").click()
    page.get_by_role("option", name="random").click()
    page.get_by_role("button", name="Get texts").click()
    page.locator("[data-item]").wait_for()

    first, second = press(page, "1"), press(page, "s")
    third = shown(page)
    page.keyboard.press("u")
    page.get_by_text("You had said: skipped").wait_for()
    assert shown(page) == second and answers(path) == {"anna": {first: "bad"}}
    assert press(page, "2") == second and shown(page) == third
    page.reload()
    assert shown(page) == third and answers(path)["anna"] == {first: "bad", second: "good"}

    other = page.context.new_page()
    other.goto(f"{studio.url}/label?who=ben&people=2")
    assert shown(other) == first
    press(other, "2")
    press(page, "1")
    assert answers(path) == {"anna": {first: "bad", second: "good", third: "bad"}, "ben": {first: "good"}}
    page.goto(f"{studio.url}/label")
    page.get_by_text("Labelling as anna").wait_for()

    other.goto(f"{studio.url}/label?who=cleo&queue=disagreed")
    assert shown(other) == first
    press(other, "1")
    other.get_by_text("No text waits for you.").wait_for()
    other.get_by_role("button", name="Count again").click()
    other.get_by_text("on 1 texts").wait_for()
    found = label_status(path)
    assert (found["disagreed"], found["tied"], found["labels"]["bad"]) == (1, 0, 2)


def test_enter_takes_what_the_model_says_and_several_classes_are_toggled(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], tmp_path: Path
) -> None:
    names = [f"class {number:02}" for number in range(12)]
    path = begin(tmp_path, task="multilabel")
    label_next(path, count=3, annotator="anna", strategy="random", labels=names)
    studio, page = start_studio(tmp_path), new_page()
    page.goto(f"{studio.url}/label?who=anna")
    text = shown(page)
    page.get_by_role("button", name="B class 10").wait_for()
    hears_keys(page)
    for key, name in (("b", "class 10"), ("2", "class 01"), ("3", "class 02")):
        page.keyboard.press(key)
        page.locator("[aria-pressed=true]").filter(has_text=name).wait_for()
    page.keyboard.press("3")
    page.locator("[aria-pressed=false]").filter(has_text="class 02").wait_for()
    assert press(page, "Enter") == text
    other = press(page, "Enter")
    assert answers(path) == {"anna": {text: ["class 01", "class 10"], other: []}}


def test_a_suggestion_and_numbers_and_hostile_texts(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], tmp_path: Path
) -> None:
    path = begin(tmp_path)
    label_next(path, count=2, annotator=HOSTILE[:90], strategy="random", labels=["fine", HOSTILE])
    with open_labels(path) as store:
        kept = list(store.items().values())
        store.keep([kept[0]._replace(guess=HOSTILE, suggested=1.0)])
        store.keep([kept[0]._replace(id="f" * 32, text=HOSTILE, guess=HOSTILE, suggested=1.0)])
    studio, page = start_studio(tmp_path), new_page()
    page.goto(f"{studio.url}/label")
    page.get_by_label("Your name").fill(HOSTILE[:90])
    page.get_by_role("button", name="Begin").click()
    page.get_by_text(f"The model says: {HOSTILE}").wait_for()
    guessed = press(page, "Enter")
    assert answers(path) == {HOSTILE[:90]: {guessed: HOSTILE}}
    press(page, "1")
    assert shown(page) == HOSTILE and page.locator("main img, main script").count() == 0
    page.reload()
    assert shown(page) == HOSTILE


def test_a_number_is_typed_and_stretches_are_sent_elsewhere(
    start_studio: Callable[..., Any], new_page: Callable[..., Any], tmp_path: Path
) -> None:
    path = begin(tmp_path, task="regression")
    label_next(path, count=2, annotator="anna", strategy="random")
    studio, page = start_studio(tmp_path), new_page()
    page.goto(f"{studio.url}/label?who=anna")
    text = shown(page)
    page.get_by_role("spinbutton", name="Number").fill("2.5")
    assert press(page, "Enter") == text and answers(path) == {"anna": {text: 2.5}}

    path.write_text(path.read_text().replace("regression", "tagging").replace("mood", "names"))
    label_next(path, count=1, annotator="anna", strategy="random", labels=["place"])
    page.reload()
    page.get_by_text("which cannot be marked on this page").wait_for()
    page.get_by_text("tuneloop label next --annotator anna").first.wait_for()
