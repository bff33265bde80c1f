"""The whole way for each task that reads stretches, choices or vectors: check, tune, evaluate, release, predict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tuneloop as tl
from tuneloop.cli.app import run

TASKS = ("tagging", "qa")
RARELY = ("multiple_choice", "retrieval", "similarity")
"""Are answered by one number or vector a text, as classification is: `make test-long` tries them."""
FORMS = ["torch-bf16", "onnx-fp32", "openvino-bf16"]


def rows(task: str) -> list[dict[str, Any]]:
    """Lines of a file for each task, in letters that the tiny tokenizer knows."""
    random = np.random.default_rng(0)
    lines = []
    for number in range(160):
        letters = list(random.choice(list("abcdefghijklmno"), 6))
        word = ["good", "bad"][number % 2]
        place = int(random.integers(0, 7))
        words = [*letters[:place], word, *letters[place:]]
        text, start = " ".join(words), 2 * place
        answers = {"text": [word], "answer_start": [start]} if number % 9 else {"text": [], "answer_start": []}
        lines.append(
            {
                "tagging": {"text": words, "label": ["B-opinion" if len(each) > 1 else "O" for each in words]},
                "qa": {"text": f"a b {number % 7}", "pair": text, "label": answers},
                "multiple_choice": {"text": text, "pair": ["good", "bad", "a"][: 2 + number % 2], "label": number % 2},
                "similarity": {"text": text, "pair": f"{word} {letters[0]}", "label": ["no", "yes"][number % 3 > 0]},
                "retrieval": {"text": " ".join(letters[:3]), "pair": " ".join(letters)},
            }[task]
        )  # fmt: skip
    return lines


@pytest.fixture(scope="module", params=[*TASKS, *(pytest.param(task, marks=pytest.mark.long) for task in RARELY)])
def project(
    request: pytest.FixtureRequest, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """A folder with a release for the task."""
    task, folder = request.param, tmp_path_factory.mktemp(request.param)
    file = folder / "data.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in rows(task)), encoding="utf-8")
    config = {
        "name": "small",
        "data": {"source": str(file), "columns": {"pair": None if task == "tagging" else "pair"},
                 "clean": {"duplicates": "exact"}},
        "task": task,
        "model": {"source": str(tiny_model), "max_tokens": 12},
        "training": {"epochs": 8, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []},
        "release": {"forms": FORMS},
    }  # fmt: skip
    (folder / "tuneloop.yaml").write_text(json.dumps(config), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in (["check", "-q"], ["tune", "-q"], ["evaluate", "-q"], ["release", "-q"]):
            assert run(command) == 0, command
    return task, folder


@pytest.fixture
def here(project: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """The project as current folder."""
    monkeypatch.chdir(project[1])
    return project


def test_the_report_and_the_card_are_written_in_both_languages(here: tuple[str, Path]) -> None:
    from tuneloop.core.i18n import use_language
    from tuneloop.evaluation.report import report_html
    from tuneloop.releases.card import card

    found = tl.load("small")
    evaluation = json.loads((found.path / "evaluation.json").read_text())
    metric = evaluation["task"]["primary_metric"]
    assert evaluation["rows"] >= 14
    assert evaluation["metrics"][metric]["low"] <= evaluation["metrics"][metric]["high"]
    assert evaluation["baselines"]
    for code, heading in (("en", "Figures"), ("zh", "指标")):
        use_language(code)
        try:
            assert heading in report_html(evaluation, title="x", lineage={})
            assert card(found.info, evaluation).startswith("---")
        finally:
            use_language(None)


def test_every_form_and_the_server_answer_like_the_model_that_was_evaluated(here: tuple[str, Path]) -> None:
    found = tl.load("small")
    assert {name for name, form in found.info["forms"].items() if form["accepted"]} >= {"torch-fp32", "onnx-fp32"}
    assert found.info["forms"]["onnx-fp32"]["max_difference"] < 1e-3
    assert found.info["served"]["max_difference"] < 0.05


def test_a_file_comes_back_with_answers(here: tuple[str, Path]) -> None:
    task, folder = here
    answers = folder / "answers.jsonl"
    lines = rows(task)[:5]
    given = [{key: " ".join(value) if task == "tagging" else value for key, value in each.items()} for each in lines]
    if task == "multiple_choice":
        given = [each | {"pair": "\n".join(each["pair"])} for each in given]
    (folder / "new.jsonl").write_text("\n".join(map(json.dumps, given)))
    assert run(["predict", "small", "new.jsonl", "-o", str(answers), "-q"]) == 0
    found = [json.loads(line)["prediction"] for line in answers.read_text().splitlines()]
    assert len(found) == 5
    for one, line in zip(found, given, strict=True):
        if task in ("tagging", "qa"):
            text = line["text"] if task == "tagging" else line["pair"]
            assert all(0 <= part["start"] < part["end"] <= len(text) and 0 <= part["probability"] <= 1 for part in one)
        elif task == "multiple_choice":
            assert one in line["pair"].split("\n")
        else:
            assert one in ("yes", "no") if task == "similarity" else -1.001 <= one <= 1.001
