"""`tuneloop prefer`: the page, then what its file says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuneloop import api
from tuneloop.cli.app import run
from tuneloop.core.config import TaskConfig, parse_config
from tuneloop.data.examples import Examples
from tuneloop.evaluation.predictions import PREDICTIONS, write_predictions
from tuneloop.releases.read import Release
from tuneloop.tasks import create_task
from tuneloop.tasks.spans import as_scores
from tuneloop.tasks.written import Written


def release(folder: Path, name: str, task: str = "generation") -> Release:
    """A release of which only the test answers are there."""
    config = parse_config({"data": {"source": "x"}, "task": task})
    path = folder / "releases" / name
    path.mkdir(parents=True)
    if task == "generation":
        examples = Examples(list("abcdefgh"), [f"question {row}" for row in range(8)], ["r"] * 8)
        scores = as_scores(Written(f"{name} {row}") for row in range(8))
        write_predictions(path / PREDICTIONS, create_task(config.task, {"labels": []}), examples, scores)
    return Release(name, path, {"config": config.model_dump(mode="json")})


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = {name: release(tmp_path, name) for name in ("talk-1", "talk-2")}
    made["mood-1"] = release(tmp_path, "mood-1", "classification")
    monkeypatch.setattr(api, "find", lambda name, *, workspace: made[name])
    return tmp_path


def test_a_page_is_written_and_its_file_is_judged(workspace: Path, capsys: Any) -> None:
    assert run(["prefer", "talk-1", "talk-2", "-w", str(workspace), "--rows", "6", "--json"]) == 0
    page = Path(json.loads(capsys.readouterr().out)["page"])
    data = json.loads(page.read_text(encoding="utf-8").split('id="data">')[1].split("</script>")[0])
    assert page.parent == workspace / "preferences" and len(data["rows"]) == 6
    chose = [{"pair": data["key"], "id": row["id"], "choice": "left" if row["left"].startswith("talk-2") else "right"}
             for row in data["rows"]]  # fmt: skip
    judged, chosen = workspace / "judged.jsonl", workspace / "chosen.jsonl"
    judged.write_text("".join(json.dumps(one) + "\n" for one in chose))
    given = ["prefer", "talk-1", "talk-2", "-w", str(workspace), "--import", str(judged)]
    assert run([*given, "--chosen", str(chosen), "--json"]) == 0
    printed = capsys.readouterr()
    assert "Rows of test among these prompts: 6." in printed.err
    found = json.loads(printed.out)
    assert (found["b"], found["ties"], found["preferred"]) == ({"name": "talk-2", "wins": 6}, 0, "talk-2")
    rows = list(map(json.loads, chosen.read_text().splitlines()))
    assert len(rows) == 6 and all(row["chosen"][0]["content"].startswith("talk-2") for row in rows)
    assert run(given) == 0
    told = capsys.readouterr().err
    assert "talk-2 is preferred." in told and "Rows of test" not in told
    assert run(["prefer", "talk-2", "talk-1", *given[3:]]) == 2
    assert "judges answers of other models" in capsys.readouterr().err


class Echo:
    """A model that says its name and the prompt."""

    def __init__(self, name: str) -> None:
        self.name, self.task, self.knowledge = name, create_task(TaskConfig(type="generation"), {}), None

    def scores(self, inputs: list[str]) -> Any:
        return as_scores(Written(f"{self.name}: {each}") for each in inputs)

    def close(self) -> None:
        self.name = ""


def test_prompts_of_a_file_are_judged_instead_of_test(
    workspace: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(Release, "predictor", lambda self: opened.append(self.id) or Echo(self.id))
    asked = workspace / "asked.csv"
    asked.write_text("text\nhow are you\nwho are you\n")
    given = ["prefer", "talk-1", "talk-2", "-w", str(workspace), "--data", str(asked)]
    assert run([*given, "--json"]) == 0
    page = Path(json.loads(capsys.readouterr().out)["page"])
    data = json.loads(page.read_text(encoding="utf-8").split('id="data">')[1].split("</script>")[0])
    chose = [{"pair": data["key"], "id": row["id"], "choice": "left"} for row in data["rows"]]
    (workspace / "judged.jsonl").write_text("".join(json.dumps(one) + "\n" for one in chose))
    chosen = workspace / "chosen.jsonl"
    assert run([*given, "--import", str(workspace / "judged.jsonl"), "--chosen", str(chosen)]) == 0
    assert "Rows of test" not in capsys.readouterr().err
    rows = list(map(json.loads, chosen.read_text().splitlines()))
    assert {row["prompt"][0]["content"] for row in rows} == {"how are you", "who are you"}
    assert all(row["chosen"][0]["content"].endswith(row["prompt"][0]["content"]) for row in rows)
    assert opened == ["talk-1", "talk-2"]  # each answers once
    asked.write_text("text\nhow are you\nQuestion  3\n")  # which stands in test
    assert run([*given, "--json"]) == 0
    page = Path(json.loads(capsys.readouterr().out)["page"])
    data = json.loads(page.read_text(encoding="utf-8").split('id="data">')[1].split("</script>")[0])
    chose = [{"pair": data["key"], "id": row["id"], "choice": "left"} for row in data["rows"]]
    (workspace / "judged.jsonl").write_text("".join(json.dumps(one) + "\n" for one in chose))
    assert run([*given, "--import", str(workspace / "judged.jsonl"), "--chosen", str(chosen)]) == 0
    assert "Rows of test among these prompts: 1." in capsys.readouterr().err


def test_models_that_judge_texts_are_not_preferred(workspace: Path, capsys: Any) -> None:
    assert run(["prefer", "talk-1", "mood-1", "-w", str(workspace)]) == 2
    assert "mood-1 does not write" in capsys.readouterr().err
