"""What the victims work on: a finished run, made up or of a tiny model, and tools that prove a release in no time."""

from __future__ import annotations

import csv
import importlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from torture.tiny import WORDS, write_tiny_model
from tuneloop.core import fsio
from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.releases.proof import Tools
from tuneloop.releases.read import Release
from tuneloop.releases.write import write_release

NAME = "mood"
LABELS = ("no", "yes")
MARKS = {"no": "bad", "yes": "good"}
NEW_MARKS = {"no": "a", "yes": "b"}
"""The words that stand for the classes in new rows."""

WEIGHTS = 200_000
"""Bytes of a made-up model."""


@dataclass(frozen=True)
class Rows:
    """Data of which the light victims need nothing but a few rows."""

    hash: str
    labels: tuple[str, ...] = LABELS

    def split(self, name: str) -> Examples:
        """The same rows for each split."""
        return Examples(["1", "2", "3"], ["good c", "bad d", "good e"], ["yes", "no", "yes"])


@dataclass(frozen=True)
class World:
    """A finished run in a workspace below `folder`.

    Args:
        run: its folder.
    """

    folder: Path
    run: Path
    config: RunConfig
    snapshot: Rows

    @property
    def tools(self) -> Tools:
        """Tools that export a file and prove in no time."""
        speeds = {"torch-fp32": 2.0, "onnx-fp32": 1.0}
        return Tools(_export, lambda _, engine: Answers(engine), lambda model, _: speeds[model.engine])

    def release(self, run: Path, workspace: Workspace) -> Release:
        """A release of a run, through all that makes one but the model's own answers."""
        return write_release(
            run, workspace=workspace, config=self.config, dev=self.snapshot.split("dev"),
            evaluation={"metrics": {}}, tools=self.tools, quiet=True,
        )  # fmt: skip


def light_world(folder: Path) -> World:
    """A run whose model is a file of zeros: it can be released, not opened."""
    config = parse_config(settings(folder, release={"forms": ["onnx-fp32"]}))
    run = folder / "w" / "runs" / f"{NAME}-made-up"
    (run / "model").mkdir(parents=True)
    (run / "model" / "model.safetensors").write_bytes(bytes(WEIGHTS))
    for name in ("config.json", "tokenizer.json", "tuneloop.json"):
        fsio.write_json(run / "model" / name, {"name": name})
    info = {"status": "finished", "snapshot_hash": "0" * 64, "model": {"trained_parameters": 1}}
    fsio.write_json(run / "run.json", info)
    return World(folder, run, config, Rows("0" * 64))


def build(folder: Path, report: Callable[[str], None]) -> None:
    """Make the tiny model, its data and the release mood-1 of a run of it; reports what has been imported on the way.

    It computes, and with that starts threads: it needs a process of its own.
    """
    import torch

    import tuneloop as tl

    torch.set_num_threads(1)
    write_tiny_model(folder / "tiny")
    write_rows(folder / "old.csv", 160, 1, MARKS)
    write_rows(folder / "new.csv", 160, 2, NEW_MARKS)
    tl.release(tl.tune(settings(folder), quiet=True), quiet=True)
    for name in sys.modules.copy():
        report(name)


def preload(names: Iterable[str]) -> None:
    """Import modules, so that no forked process need do it again."""
    for name in names:
        with suppress(Exception):  # some are no modules, or made while others were imported
            importlib.import_module(name)


def real_world(folder: Path) -> World:
    """The run that `build` has made there: releases of it can be served."""
    from tuneloop.training.run import open_run

    run = open_run("latest", Workspace(folder / "w"))
    return World(folder, run.path, run.config, Rows(run.snapshot_hash))


def write_rows(path: Path, rows: int, seed: int, marks: Mapping[str, str]) -> Path:
    """A labelled CSV file that the tiny model can learn."""
    random = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(rows):
            label = LABELS[row % 2]
            writer.writerow([" ".join([marks[label]] * 2 + list(random.choice(WORDS[8:-1], 6))), label])
    return path


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    """A configuration of the tiny model.

    Args:
        changes: other sections; those of `training` are added to its own.
    """
    training = {
        "epochs": 3, "batch_size": 8, "precision": "fp32", "report_to": [], "learning_rate": 3e-3,
        "checkpoint_every_steps": 4, "evaluations_per_epoch": 2, **changes.pop("training", {}),
    }  # fmt: skip
    return {
        "name": NAME,
        "workspace": str(folder / "w"),
        "data": {"source": str(folder / "old.csv"), "clean": {"duplicates": "exact"}, "split": {"test": 0.3}},
        "model": {"source": str(folder / "tiny"), "max_tokens": 16},
        "training": training,
        "evaluation": {"resamples": 200},
        "watch": {"events": "hashes"},
        "release": {"forms": []},
        **changes,
    }


class Judgement:
    """As much of a task as a proof needs."""

    primary_metric = "accuracy"
    generates = False
    labels = LABELS

    def decide(self, scores: Any) -> list[str]:
        """The class of each row."""
        return [LABELS[int(row.argmax())] for row in scores]

    def changes(self, scores: Any, others: Any) -> Any:
        """How far apart they are, (rows,)."""
        return np.abs(scores - others).max(axis=1)

    def metrics(self, labels: Sequence[str], scores: Any) -> dict[str, float]:
        """The share of right answers."""
        return {"accuracy": float(np.mean([a == b for a, b in zip(labels, self.decide(scores), strict=True)]))}


class Answers:
    """Answers as the tiny model should, without one."""

    task = Judgement()

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def scores(self, inputs: Sequence[Any]) -> Any:
        """Certain of `yes` where the text says so, (inputs, 2)."""
        good = np.array(["good" in str(each) for each in inputs], dtype=np.float32)
        return np.stack([1 - good, good], axis=1)

    def close(self) -> None:
        """Nothing is held."""


def _export(folder: Path, form: str, out: Path) -> list[Path]:
    path = out / "onnx" / f"{form}.onnx"
    path.parent.mkdir(exist_ok=True)
    fsio.write_bytes(path, bytes(WEIGHTS))
    return [path]
