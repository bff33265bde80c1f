"""`tuneloop prefer`: the page, then what its file says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuneloop import api
from tuneloop.cli.app import run
from tuneloop.core.config import parse_config
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
    found = json.loads(capsys.readouterr().out)
    assert (found["b"], found["ties"], found["preferred"]) == ({"name": "talk-2", "wins": 6}, 0, "talk-2")
    rows = list(map(json.loads, chosen.read_text().splitlines()))
    assert len(rows) == 6 and all(row["chosen"][0]["content"].startswith("talk-2") for row in rows)
    assert run(given) == 0
    assert "talk-2 is preferred." in capsys.readouterr().err
    assert run(["prefer", "talk-2", "talk-1", *given[3:]]) == 2
    assert "judges answers of other models" in capsys.readouterr().err


def test_models_that_judge_texts_are_not_preferred(workspace: Path, capsys: Any) -> None:
    assert run(["prefer", "talk-1", "mood-1", "-w", str(workspace)]) == 2
    assert "mood-1 does not write" in capsys.readouterr().err
