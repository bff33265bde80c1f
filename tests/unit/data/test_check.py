"""The check finds what was planted, and says it in both languages."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneloop.core.i18n import use_language
from tuneloop.data.check import check, summary_rows
from tuneloop.data.check_page import check_page
from tuneloop.data.label_errors import suspected_labels
from tuneloop.data.personal_data import findings, mask
from tuneloop.data.text_statistics import script

WORDS = {"good": ["great", "lovely", "superb", "fine", "charming"], "bad": ["awful", "dull", "poor", "nasty", "boring"]}


def planted(count: int, wrong: set[int]) -> list[tuple[str, str]]:
    chance = random.Random(0)
    rows = []
    for number in range(count):
        label = "good" if number % 2 else "bad"
        text = " ".join([*chance.choices(WORDS[label], k=4), f"{number * 7919:x}", f"{number**4:o}"])
        rows.append((text, ("bad" if label == "good" else "good") if number in wrong else label))
    return rows


def test_planted_label_errors_are_found_first() -> None:
    wrong = {3, 40, 77, 120}
    texts, labels = zip(*planted(200, wrong), strict=True)
    result = suspected_labels(texts, labels, seed=0)
    found = {suspect.row for suspect in result.found}
    assert len(found) >= 3 and found <= wrong and result.examined == 200
    assert all(suspect.suggested != labels[suspect.row] for suspect in result.found)


def test_errors_among_several_classes_and_numbers_are_found_too() -> None:
    wrong = {3, 40, 77, 120}
    texts, labels = zip(*planted(200, wrong), strict=True)
    several = suspected_labels(texts, [(label,) for label in labels], seed=0).found
    assert several and {suspect.row for suspect in several} <= wrong
    assert all((labels[suspect.row],) != suspect.suggested for suspect in several)
    numbers = suspected_labels(texts, [5.0 if label == "good" else 1.0 for label in labels], seed=0).found
    assert {suspect.row for suspect in numbers[:4]} == wrong


def test_too_little_to_judge_gives_no_suspects() -> None:
    assert suspected_labels(["a"] * 10, ["x"] * 10, seed=0).examined == 0
    assert suspected_labels([str(row) for row in range(100)], ["x"] * 100, seed=0).found == []


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("write to anna.b@example.org please", {"email"}),
        ("电话13812345678，谢谢", {"phone"}),
        ("call +49 30 1234 5678 or (415) 555-0134", {"phone"}),
        ("身份证 11010519491231002X", {"id-card"}),
        ("身份证 110105194912310021", set()),
        ("card 4111 1111 1111 1111", {"bank-card"}),
        ("card 4111 1111 1111 1112", set()),
        ("from 203.0.113.9 today", {"ip"}),
        ("version 1.2.3 of 2026-11-24, 127.0.0.1, order 12345", set()),
        ("@someone 100% of 1234", set()),
    ],
)
def test_personal_data_is_told_from_other_numbers(text: str, kinds: set[str]) -> None:
    assert {kind for kind, _ in findings(text)} == kinds


def test_a_masked_finding_cannot_be_read() -> None:
    assert mask("13812345678") == "13*******78"


def test_scripts_are_told_apart() -> None:
    texts = ["hello", "你好，世界", "买了一个 iPhone pro max 手机", "привет", "123!", "très été"]
    assert [script(text) for text in texts] == ["latin", "han", "mixed", "other", "none", "latin"]


@pytest.fixture
def flawed(tmp_path: Path) -> Path:
    """300 rows with a class of one row, a tiny one, a twin in case, a contradiction and a telephone number."""
    rows = [*planted(300, {10}), ("only one of its kind", "rare"), ("call 13812345678", "Good"), ("again <b>", "Good")]
    rows += [("same thing", "good"), ("same thing", "bad"), (" ", "bad")]
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(json.dumps({"text": text, "label": label}) for text, label in rows))
    return path


def test_a_check_lists_the_problems_in_both_languages(flawed: Path, build: Any) -> None:
    snapshot = build("data.jsonl")
    report = check(
        snapshot,
        seed=0,
        quiet=True,
        max_tokens=5,
        count_tokens=lambda inputs: np.array([len(str(i).split()) for i in inputs]),
    )
    said = " ".join(problem.message for problem in report.problems)
    for part in (
        '"rare"',
        '"Good"',
        "only in case",
        "times the rows",
        "personal data",
        "different labels",
        "blank",
        "longer",
    ):
        assert part in said
    assert not report.ok and report.problems[0].severity == "error"
    assert report.rows["train"] == sum(counts["train"] for counts in report.labels.values())
    assert report.suspects[0].id == "11" and report.personal[0].kind == "phone"
    json.dumps(report.as_json())
    for language, heading in (("en", "Suspected label errors"), ("zh", "疑似标签错误")):
        use_language(language)
        try:
            page, lines = check_page(report), summary_rows(report)
        finally:
            use_language(None)
        assert heading in page and heading in [name for name, _ in lines]
        assert "again <b>" not in page and page.count("<svg") == 3


def test_the_same_check_gives_the_same_page(flawed: Path, build: Any) -> None:
    snapshot = build("data.jsonl")
    assert check_page(check(snapshot, seed=0, quiet=True)) == check_page(check(snapshot, seed=0, quiet=True))


def test_numbers_have_a_range_instead_of_counts(tmp_path: Path, build: Any) -> None:
    lines = [f"{text},{number % 5}\n" for number, (text, _) in enumerate(planted(120, set()))]
    (tmp_path / "data.csv").write_text("text,label\n" + "".join(lines))
    report = check(build(task="regression"), seed=0, quiet=True)
    assert report.labels == {} and report.numbers["train"] == {"low": 0, "mean": pytest.approx(2, abs=0.2), "high": 4}
    assert "0 to 4" in dict(summary_rows(report))["Labels of train"]
    assert check_page(report).count("<svg") == 2
