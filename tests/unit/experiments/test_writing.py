"""Methods and settings of a model that writes: what is compared is what it writes, what is searched its likelihood."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuneloop import api
from tuneloop.cli.experiments import show_comparison
from tuneloop.core.i18n import use_language
from tuneloop.core.paths import Workspace
from tuneloop.experiments import jobs
from tuneloop.experiments.job import Job, main
from tuneloop.experiments.page import comparison_html
from tuneloop.experiments.words import budget_name


@pytest.fixture
def writing(tmp_path: Path, chat_model: Path, made_up: Any) -> Path:
    """The folder of a project whose model writes."""
    parts = [made_up("generation").split(name) for name in ("train", "dev", "test")]
    rows = [row for part in parts for row in zip(part.texts, part.labels, strict=True)]
    (tmp_path / "talks.jsonl").write_text("\n".join(json.dumps({"text": text, "label": label}) for text, label in rows))
    settings = {
        "name": "talk",
        "data": {"source": "talks.jsonl", "clean": {"duplicates": "exact"}, "split": {"dev": 30, "test": 40}},
        "task": {"type": "generation", "max_new_tokens": 5},
        "model": {"source": str(chat_model), "max_tokens": 48},
        "training": {"epochs": 4, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []},
        "comparison": {"methods": ["full", "lora", "probe"], "seeds": [0, 1]},
        "search": {"space": {"training.epochs": {"choices": [1, 4]}}, "trials": 2},
    }
    (tmp_path / "tuneloop.yaml").write_text(json.dumps(settings))
    return tmp_path


def test_methods_that_write_are_compared_by_what_they_write(writing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def here(job: Job, folder: Path, workspace: Workspace, base: Path, interrupted: Any) -> None:
        """As `jobs._start`, without a process of its own, which test_compare.py tries."""
        folder.mkdir(parents=True)
        spec = job.to_json() | {"workspace": str(workspace.root.resolve()), "base": str(base.resolve())}
        (folder / "job.json").write_text(json.dumps(spec))
        assert main(folder) == 0

    monkeypatch.setattr(jobs, "_start", here)
    found = api.compare(writing / "tuneloop.yaml", quiet=True)
    assert found["metric"] == "chrf" and not found["failed"] and set(found["refused"]) == {"probe"}
    every = {each["label"]: each for each in found["budgets"][0]["methods"]}
    assert set(every) == {"nearest", "base", "full", "lora"} and set(every["full"]["seeds"]) == {"0", "1"}
    assert every["base"]["value"] < 0.5 and list(every["base"]["seeds"]) == ["0"]
    assert every["full"]["value"] > 0.9
    assert every["lora"]["trained_parameters"] < every["full"]["trained_parameters"]
    # five tokens are written one after the other
    assert every["full"]["latency_ms"] > 1000 / every["nearest"]["texts_per_s"]
    page = Path(found["report"]).read_text()
    assert "the model before tuning" in page
    assert "whole answers" in page and "chrF" in page
    assert budget_name(8, classes=found["classes"]) == "8 labelled texts"
    use_language("zh")
    try:
        show_comparison(found)
        assert "写出完整回答的速度" in comparison_html(found)
    finally:
        use_language(None)


def test_settings_of_a_model_that_writes_are_searched(writing: Path) -> None:
    pytest.importorskip("optuna")
    found = api.search(writing / "tuneloop.yaml", quiet=True)
    assert found["metric"] == "log_likelihood" and found["best"]["settings"] == {"training.epochs": 4}
    run = api.find(found["best"]["run"], workspace=writing / ".tuneloop")
    assert run.info["best_dev"]["log_likelihood"] == found["best"]["value"] > -0.1
    assert "log-likelihood per token" in Path(found["report"]).read_text()
