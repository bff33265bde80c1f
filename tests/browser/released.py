"""Projects with releases of tiny models, whose file and labels try to become scripts; made once for all tests."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import tuneloop as tl
from torture.tiny import WORDS

FILE = """<img src=x onerror=alert(1)>{{7*7}}'".csv"""
BAD = "<img src=x onerror=alert(2)>"
TRAINING = {"batch_size": 16, "learning_rate": 1e-2, "precision": "fp32", "report_to": []}
DOCUMENT = "# Warranty\n\nThe warranty of the blue lamp lasts seven years. <script>alert(3)</script>\n"


def _write(folder: Path, header: list[str], rows: list[list[str]]) -> None:
    with (folder / FILE).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def _config(folder: Path, **settings: Any) -> Path:
    plain = {"data": {"source": FILE, "clean": {"duplicates": "exact"}}, "release": {"forms": []}}
    path = folder / "tuneloop.yaml"
    path.write_text(yaml.safe_dump({**plain, "evaluation": {"resamples": 100}, **settings}), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def released_project(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs, a release mood-1 of the first, and a document that travels with it."""
    folder, random = tmp_path_factory.mktemp("project"), np.random.default_rng(0)
    marked = [[*random.choice(WORDS[6:-1], 3), *["good" if row % 2 else "bad"] * 2] for row in range(240)]
    words = [[*random.permutation(each), f"<b>{row}"] for row, each in enumerate(marked)]
    _write(folder, ["text", "label"], [[" ".join(each), "yes" if "good" in each else BAD] for each in words])
    (folder / "handbook.md").write_text(DOCUMENT, encoding="utf-8")
    index = tl.open_knowledge("handbook", workspace=folder / ".tuneloop", create=True, encoder="none")
    index.add([str(folder / "handbook.md")], quiet=True)
    index.close()
    model, knowledge = {"source": str(tiny_model), "max_tokens": 24}, {"documents": "handbook"}
    common = {"name": "mood", "model": model, "knowledge": knowledge}
    config = _config(folder, **common, training={"epochs": 12, **TRAINING})
    tl.release(tl.tune(config, quiet=True), quiet=True)
    tl.tune(_config(folder, **common, training={"epochs": 1, **TRAINING}), quiet=True)
    return folder


@pytest.fixture(scope="session")
def talking_project(chat_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release talk-1 of a model that writes."""
    folder, random = tmp_path_factory.mktemp("talking"), np.random.default_rng(0)
    prompts = [" ".join(random.choice(WORDS[6:-1], 4)) for _ in range(80)]
    _write(folder, ["text", "label"], [[each, "good a b c" if "a" in each else "bad c b a"] for each in prompts])
    model, task = {"source": str(chat_model), "max_tokens": 48}, {"type": "generation", "max_new_tokens": 12}
    config = _config(folder, name="talk", task=task, model=model, training={"epochs": 1, **TRAINING})
    tl.release(tl.tune(config, quiet=True), quiet=True)
    return folder
