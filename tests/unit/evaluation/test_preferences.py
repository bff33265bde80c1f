"""Blind judgements of two models' answers: in a real browser, from its file, and what may be said of them."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import use_language
from tuneloop.data.conversation import Message, to_text
from tuneloop.data.examples import Examples
from tuneloop.evaluation.predictions import Predictions
from tuneloop.evaluation.preference_page import preference_page
from tuneloop.evaluation.preferences import Pair, chosen_rows, judged, pair_of, read_judgements, verdict
from tuneloop.tasks.spans import as_scores
from tuneloop.tasks.written import Written

HOSTILE = (
    "</script><script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">{}'\"`\u2028&lt;"
)
TALK = to_text([Message("system", HOSTILE), Message("user", "hi"), Message("assistant", "yes?"), Message("user", "so")])


def predictions(answers: list[str]) -> Predictions:
    rows = len(answers)
    texts = [TALK if row % 2 else f"question {row} {HOSTILE}" for row in range(rows)]
    examples = Examples([f"<id {row}>" for row in range(rows)], texts, ["reference"] * rows)
    return Predictions(examples, list(answers), as_scores(map(Written, answers)), ())


def pair(rows: int = 40, *, names: tuple[str, str] = ("old", "new")) -> Pair:
    first, second = (predictions([f"{who} {row} {HOSTILE}" for row in range(rows)]) for who in ("A", "B"))
    return pair_of(names, first, second)


def saved(path: Path, pair: Pair, choices: dict[str, str]) -> Path:
    """A file of judgements, from the preferred model by row: a, b or tie."""
    lines = []
    for name, choice in choices.items():
        side = choice if choice == "tie" else "left" if (choice == "b") == pair.by_id[name].swapped else "right"
        lines.append(json.dumps({"pair": pair.key, "id": name, "choice": side}) + "\n")
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_sides_and_order_are_dealt_anew_for_each_pair_and_equal_answers_are_left_out() -> None:
    found = pair(200)
    assert 70 < sum(row.swapped for row in found.rows) < 130
    order = [int(row.id.strip("<>").split()[1]) for row in found.rows]
    assert order != sorted(order) and sorted(order) == list(range(200))
    other = pair_of(
        ("a", "b"), predictions(["x"] * 200), predictions([f"y{row}" if row else "x " for row in range(200)])
    )
    assert other.key != found.key and other.equal == 1 and len(other.rows) == 199
    assert abs(np.corrcoef([row.swapped for row in found.rows[:199]], [row.swapped for row in other.rows])[0, 1]) < 0.2
    with pytest.raises(DataError, match="old and new wrote the same to every prompt"):
        pair_of(("old", "new"), predictions(["x"]), predictions(["x"]))


def test_nothing_on_the_page_tells_which_model_wrote_what() -> None:
    page = preference_page(pair(names=("nightingale", "sparrow")), most=10)
    assert "nightingale" not in page and "sparrow" not in page and "swapped" not in page
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert len(data["rows"]) == 10 and set(data["rows"][0]) == {"id", "turns", "left", "right"}
    assert Counter(row["left"][0] for row in data["rows"]) != Counter({"A": 10})


def test_judgements_come_back_as_they_were_meant(tmp_path: Path) -> None:
    asked = pair(30)
    meant = {row.id: "aab"[number % 3] if number < 24 else "tie" for number, row in enumerate(asked.rows)}
    assert read_judgements(saved(tmp_path / "judged.jsonl", asked, meant), asked) == meant
    found = judged(asked, meant)
    assert (found["a"]["wins"], found["b"]["wins"], found["ties"], found["judged"]) == (16, 8, 6, 30)
    exact = binomtest(16, 24)
    interval = exact.proportion_ci(method="exact")
    assert (found["p"], found["low"], found["high"]) == pytest.approx((exact.pvalue, interval.low, interval.high))
    assert found["win_rate"] == pytest.approx(19 / 30) and found["preferred"] is None
    assert "cannot tell" in " ".join(verdict(found))
    rows = list(chosen_rows(asked, meant))
    assert len(rows) == 24
    first = next(row for row in rows if meant[row["id"]] == "b")
    assert first["chosen"][0]["content"].startswith("B") and first["rejected"][0]["content"].startswith("A")
    assert {row["prompt"][-1]["role"] for row in rows} == {"user"}


def test_a_clear_preference_is_said_and_ties_alone_say_nothing() -> None:
    asked = pair(30)
    clear = judged(asked, {row.id: "b" if number > 3 else "a" for number, row in enumerate(asked.rows)})
    assert clear["preferred"] == "new" and clear["high"] < 0.5 and clear["p"] < 0.001
    use_language("zh")
    try:
        assert verdict(clear)[2] == "new 更受偏好。"
    finally:
        use_language(None)
    ties = judged(asked, {row.id: "tie" for row in asked.rows})
    assert (ties["share"], ties["p"], ties["win_rate"], ties["preferred"]) == (None, 1.0, 0.5, None)
    assert "cannot tell" in " ".join(verdict(ties))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"judged\.jsonl, row 2: this is no judgement"),
        ('{"pair": 1, "id": "x"}', "this is no judgement"),
        ('{"pair": "other", "id": "<id 0>", "choice": "left"}', "it judges answers of other models"),
        ('{"pair": KEY, "id": "<id 99>", "choice": "left"}', "no such prompt was shown: <id 99>"),
        ('{"pair": KEY, "id": ["x"], "choice": "left"}', "no such prompt was shown"),
        ('{"pair": KEY, "id": "<id 0>", "choice": "both"}', "none of left, right and tie"),
        ('{"pair": KEY, "id": "<id 1>", "choice": "tie"}', "the prompt <id 1> is judged twice"),
    ],
)
def test_a_file_that_was_not_saved_by_the_page_is_refused(tmp_path: Path, line: str, message: str) -> None:
    asked = pair(4)
    path = saved(tmp_path / "judged.jsonl", asked, {"<id 1>": "a"})
    path.write_text(path.read_text() + line.replace("KEY", json.dumps(asked.key)) + "\n")
    with pytest.raises(DataError, match=message):
        read_judgements(path, asked)


@pytest.fixture(scope="module")
def browser() -> Any:
    """A real Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


def test_a_person_judges_by_the_keyboard_and_a_reload_loses_nothing(browser: Any, tmp_path: Path) -> None:
    asked = pair(5)
    use_language("zh")
    try:
        (tmp_path / "page.html").write_text(preference_page(asked, most=4), encoding="utf-8")
    finally:
        use_language(None)
    complaints: list[str] = []
    context = browser.new_context(accept_downloads=True, offline=True)
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((tmp_path / "page.html").as_uri())
    assert page.inner_text("#count") == "已评判 0 / 4" and page.title() == "哪个回答更好？"
    shown = asked.rows[0]
    left, right = (shown.b, shown.a) if shown.swapped else (shown.a, shown.b)
    assert page.text_content("#left") == left and page.text_content("#right") == right
    page.keyboard.press("1")
    page.keyboard.press("2")
    page.keyboard.press("Control+0")  # the browser's own
    assert page.inner_text("#count") == "已评判 2 / 4"
    page.keyboard.press("u")
    page.reload()
    assert page.inner_text("#count") == "已评判 1 / 4"
    page.keyboard.press("0")
    page.keyboard.press("2")
    page.click("button[data-key='1']")
    page.keyboard.press("1")  # nothing is left to judge
    assert page.is_visible("#done") and not page.is_visible("#judging")
    with page.expect_download() as download:
        page.keyboard.press("s")
    assert download.value.suggested_filename == f"preferences-{asked.key}.jsonl"
    download.value.save_as(tmp_path / "judged.jsonl")
    found = read_judgements(tmp_path / "judged.jsonl", asked)
    sides = ["left", "tie", "right", "left"]
    meant = ["tie" if side == "tie" else "b" if (side == "left") == row.swapped else "a"
             for side, row in zip(sides, asked.rows, strict=False)]  # fmt: skip
    assert list(found.items()) == list(zip([row.id for row in asked.rows[:4]], meant, strict=True))
    assert page.title() == "哪个回答更好？" and page.evaluate("document.images.length") == 0 and complaints == []
    context.close()


def test_judgements_of_one_pair_are_not_those_of_another(browser: Any, tmp_path: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    other = pair_of(("old", "newer"), predictions(["A"] * 5), predictions(["C"] * 5))
    for number, each in enumerate((pair(5), other)):
        (tmp_path / f"{number}.html").write_text(preference_page(each, most=5), encoding="utf-8")
        page.goto((tmp_path / f"{number}.html").as_uri())
        assert page.inner_text("#count") == "0 of 5 judged"
        page.keyboard.press("1")
    page.evaluate("localStorage.setItem(place, '{broken')")
    page.reload()
    assert page.inner_text("#count") == "0 of 5 judged"
    context.close()
