"""What the victims work on: a tiny model, a run of it, and tools that export and prove in no time."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from torture.tiny import WORDS, write_tiny_model
from tuneloop.core import fsio
from tuneloop.core.config import RunConfig, TaskConfig
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.data.snapshot_folder import Snapshot, find_snapshot
from tuneloop.releases.proof import Tools
from tuneloop.releases.read import Release
from tuneloop.releases.write import write_release
from tuneloop.tasks import create_task
from tuneloop.training.run import Run, open_run

NAME = "mood"
MARKS = {"no": "bad", "yes": "good"}
NEW_MARKS = {"no": "a", "yes": "b"}
"""The words that stand for the classes in new rows."""


def write_rows(path: Path, rows: int, seed: int, marks: Mapping[str, str]) -> Path:
    """A labelled CSV file that a tiny model can learn."""
    random = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(rows):
            label = ("no", "yes")[row % 2]
            writer.writerow([" ".join([marks[label]] * 2 + list(random.choice(WORDS[8:-1], 6))), label])
    return path


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    """A configuration of the tiny model."""
    return {
        "name": NAME,
        "workspace": str(folder / "w"),
        "data": {"source": str(folder / "old.csv"), "clean": {"duplicates": "exact"}, "split": {"test": 0.3}},
        "model": {"source": str(folder / "tiny"), "max_tokens": 16},
        "training": {
            "epochs": 3, "batch_size": 8, "precision": "fp32", "report_to": [], "learning_rate": 3e-3,
            "checkpoint_every_steps": 4, "evaluations_per_epoch": 2, **changes.pop("training", {}),
        },
        "evaluation": {"resamples": 200},
        "release": {"forms": ["onnx-fp32"], "max_loss": 0.5, "max_batch_effect": 0.5},
        **changes,
    }  # fmt: skip


def build(folder: Path) -> None:
    """Make the tiny model, its data and one finished run in `folder`; needs threads, so it has a process of its own."""
    import torch

    import tuneloop as tl

    torch.set_num_threads(1)
    write_tiny_model(folder / "tiny")
    write_rows(folder / "old.csv", 160, 1, MARKS)
    tl.tune(settings(folder), quiet=True)


@dataclass(frozen=True)
class World:
    """What `build` has made in `folder`."""

    folder: Path
    run: Run
    config: RunConfig
    snapshot: Snapshot

    @property
    def dev(self) -> Examples:
        """A few rows of its dev split."""
        return self.snapshot.split("dev").select(list(range(6)))

    @property
    def tools(self) -> Tools:
        """Tools that export a file and prove in no time."""
        speeds = {"torch-fp32": 2.0, "onnx-fp32": 1.0}
        return Tools(
            _export, lambda _, engine: Answers(engine, self.snapshot.labels), lambda model, _: speeds[model.engine]
        )

    def release(self, run: Path, workspace: Workspace) -> Release:
        """A release of a run, through all that makes one but the model's own answers."""
        return write_release(
            run, workspace=workspace, config=self.config, dev=self.dev, evaluation={"metrics": {}},
            tools=self.tools, quiet=True,
        )  # fmt: skip


def open_world(folder: Path) -> World:
    """What `build` has made there."""
    place = Workspace(folder / "w")
    run = open_run("latest", place)
    return World(folder, run, run.config, find_snapshot(run.snapshot_hash, place))


class Answers:
    """Answers as the tiny model should, without one."""

    def __init__(self, engine: str, labels: Sequence[str]) -> None:
        self.engine = engine
        self.task = create_task(TaskConfig(type="classification"), {"labels": list(labels)})

    def scores(self, inputs: Sequence[Any]) -> Any:
        """Certain of `yes` where the text says so, (inputs, 2)."""
        good = np.array(["good" in str(each) for each in inputs], dtype=np.float32)
        return np.stack([1 - good, good], axis=1)

    def close(self) -> None:
        """Nothing is held."""


def _export(folder: Path, form: str, out: Path) -> list[Path]:
    path = out / "onnx" / f"{form}.onnx"
    path.parent.mkdir(exist_ok=True)
    fsio.write_bytes(path, bytes(200_000))
    return [path]
