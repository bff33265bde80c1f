"""A model that remembers its answers on disk, so that audits share them and an interrupted audit goes on."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tuneloop.core.fsio import storage_errors
from tuneloop.data.examples import Input, Label
from tuneloop.inference.ruling import rulings, settle

if TYPE_CHECKING:
    from tuneloop.tasks.base import FloatArray, ModelHandle, Prediction, Task

PORTION = 512
"""Inputs that are computed between two writes."""


class Remembering:
    """A `ModelHandle` whose scores are computed once per input; scores that are not numbers are not kept.

    Args:
        model: what answers.
        path: an SQLite file of this model alone; None keeps answers in memory.
    """

    def __init__(self, model: ModelHandle, path: Path | None = None) -> None:
        self.model = model
        self.asked = self.computed = 0
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        with storage_errors(path or Path(":memory:")):
            self._kept = sqlite3.connect(path or ":memory:", check_same_thread=False)
            self._kept.execute("CREATE TABLE IF NOT EXISTS scores (input BLOB PRIMARY KEY, score BLOB) WITHOUT ROWID")

    @property
    def name(self) -> str:
        """The model's."""
        return self.model.name

    @property
    def task(self) -> Task:
        """The model's."""
        return self.model.task

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        """As the model's: see `ModelHandle.scores`."""
        self.asked += len(inputs)
        if self.task.score_columns is None:
            self.computed += len(inputs)
            return self.model.scores(inputs)
        keys = [_key(item) for item in inputs]
        rows = {key: self._read(key) for key in dict.fromkeys(keys)}
        missing = {key: item for key, item in zip(keys, inputs, strict=True) if rows[key] is None}
        self.computed += len(missing)
        for start in range(0, len(missing), PORTION):
            part = list(missing.items())[start : start + PORTION]
            found = np.asarray(self.model.scores([item for _, item in part]), dtype=np.float32)
            rows |= {key: row for (key, _), row in zip(part, found, strict=True)}
            self._write({key: row for (key, _), row in zip(part, found, strict=True)})
        return np.stack([rows[key] for key in keys]) if keys else self.model.scores([])

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """As the model's, but that no text counts as truncated: see `ModelHandle.predict`."""
        if self.task.score_columns is None:
            self.asked += len(inputs)
            self.computed += len(inputs)
            return self.model.predict(inputs)
        found = self.task.predictions(self.scores(inputs), [False] * len(inputs))
        final = getattr(self.model, "final", None)  # rules, which every `Predictor` has
        return found if final is None else list(final(inputs, found))

    def close(self) -> None:
        """Let go of the file; the model stays open."""
        self._kept.close()

    def _read(self, key: bytes) -> Any:
        row = self._kept.execute("SELECT score FROM scores WHERE input = ?", (key,)).fetchone()
        return None if row is None else np.frombuffer(row[0], dtype=np.float32)

    def _write(self, rows: dict[bytes, Any]) -> None:
        with self._kept:
            self._kept.executemany(
                "INSERT OR REPLACE INTO scores VALUES (?, ?)", ((key, row.tobytes()) for key, row in rows.items())
            )


def answers(model: ModelHandle, inputs: Sequence[Input], scores: FloatArray) -> list[Label]:
    """What a model answers to inputs of which it gave these scores, rules included, without asking it again."""
    found = rulings(model.model if isinstance(model, Remembering) else model, inputs, scores)
    return model.task.decide(scores) if found is None else [cast("Label", each.answer) for each in found]


def final_scores(model: ModelHandle, inputs: Sequence[Input]) -> FloatArray:
    """Scores that say what a model answers, rules included: see `inference.ruling.settle`."""
    scores = np.asarray(model.scores(inputs))
    given = answers(model, inputs, scores)
    return scores if given == model.task.decide(scores) else settle(model.task, scores, given)


def _key(item: Input) -> bytes:
    return hashlib.blake2b(json.dumps(item).encode(), digest_size=16).digest()
