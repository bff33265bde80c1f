"""A project on disk: the made-up texts as a file, a tiny model, and settings that train in a second."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path: Path, texts_csv: Path, tiny_model: Path) -> Path:
    """A folder with a data file and a tuneloop.yaml that compares one method on two budgets."""
    settings = {
        "name": "tiny",
        "data": {"source": texts_csv.name, "split": {"dev": 0.25, "test": 0.25}, "clean": {"duplicates": "exact"}},
        "model": {"source": str(tiny_model), "max_tokens": 16},
        "training": {"epochs": 20, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []},
        "comparison": {"methods": ["full"], "seeds": [0], "budgets": ["all", 4]},
    }
    (tmp_path / "tuneloop.yaml").write_text(json.dumps(settings))
    return tmp_path
