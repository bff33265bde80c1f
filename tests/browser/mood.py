"""A project whose model is small: mood-1 knows that good is yes and bad is no, mood-2 says the opposite."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

import tuneloop as tl
from tests.conftest import WORDS

MARKS = {"no": "bad", "yes": "good"}
OPPOSITE = {"no": "good", "yes": "bad"}


def write_rows(path: Path, rows: int, seed: int, marks: dict[str, str]) -> Path:
    """A file of texts, each with the word of its label twice."""
    random = np.random.default_rng(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(rows):
            label = ["no", "yes"][row % 2]
            writer.writerow([" ".join([f"{marks[label]} {marks[label]}", *random.choice(WORDS[8:-1], 6)]), label])
    return path


DRIFT = {"reference": "events", "reference_events": 100, "window": 50, "detectors": ["labels", "length", "latency"]}


def make_project(folder: Path, model: Path) -> Path:
    """tuneloop.yaml and its workspace with both releases."""
    write_rows(folder / "old.csv", 120, 1, MARKS)
    write_rows(folder / "opposite.csv", 120, 1, OPPOSITE)
    training = {
        "epochs": 4, "evaluations_per_epoch": 1, "batch_size": 8, "precision": "fp32", "report_to": [],
        "learning_rate": 3e-3, "ema": 0,
    }  # fmt: skip
    settings = {
        "name": "mood",
        "data": {"clean": {"duplicates": "exact"}, "split": {"test": 0.3}},
        "model": {"source": str(model), "max_tokens": 16},
        "training": training,
        "evaluation": {"resamples": 100},
        "release": {"forms": []},
        "watch": {"events": "texts", "drift": DRIFT | {"slices": ["country"]}},
    }
    path = folder / "tuneloop.yaml"
    for source in ("old.csv", "opposite.csv"):
        settings["data"]["source"] = source  # type: ignore[index]
        path.write_text(json.dumps(settings), encoding="utf-8")
        tl.release(tl.tune(path, quiet=True), quiet=True)
    return folder
