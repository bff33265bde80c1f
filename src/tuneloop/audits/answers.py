"""A model that remembers its answers on disk, so that audits share them and an interrupted audit goes on."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tuneloop.core.errors import StorageError
from tuneloop.core.fsio import storage_errors
from tuneloop.core.i18n import t
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
        path: an SQLite file of this model alone, begun anew if it is damaged; None keeps answers in memory.

    Raises:
        StorageError: here and on every later call, if the disk refuses or another process holds the file.
    """

    def __init__(self, model: ModelHandle, path: Path | None = None) -> None:
        self.model = model
        self.asked = self.computed = 0
        self._path = path
        self._kept = self._opened()

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

    def _opened(self) -> sqlite3.Connection:
        if self._path is None:
            return _table(":memory:")
        with _answer_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return _table(self._path)
            except sqlite3.OperationalError:  # locked, full, not to be written: the content may be sound
                raise
            except sqlite3.DatabaseError:
                _removed(self._path)
                return _table(self._path)

    def _begin_anew(self) -> None:
        """A damaged file holds nothing but answers that can be computed again."""
        self._kept.close()
        if self._path is not None:
            with storage_errors(self._path):
                _removed(self._path)
        self._kept = self._opened()

    def _read(self, key: bytes) -> Any:
        with _answer_errors(self._path):
            try:
                row = self._kept.execute("SELECT score FROM scores WHERE input = ?", (key,)).fetchone()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self._begin_anew()
                row = None
        return None if row is None else np.frombuffer(row[0], dtype=np.float32)

    def _write(self, rows: dict[bytes, Any]) -> None:
        sound = [(key, row.tobytes()) for key, row in rows.items() if np.isfinite(row).all()]
        with _answer_errors(self._path):
            try:
                self._insert(sound)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self._begin_anew()
                self._insert(sound)

    def _insert(self, rows: list[tuple[bytes, bytes]]) -> None:
        with self._kept:
            self._kept.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?)", rows)


def _table(path: Path | str) -> sqlite3.Connection:
    kept = sqlite3.connect(path, check_same_thread=False)
    try:
        kept.execute("CREATE TABLE IF NOT EXISTS scores (input BLOB PRIMARY KEY, score BLOB) WITHOUT ROWID")
    except BaseException:
        kept.close()
        raise
    return kept


def _removed(path: Path) -> None:
    """Without its journal too, which would be played back into the new file."""
    for each in (path, *(path.with_name(path.name + end) for end in ("-journal", "-wal", "-shm"))):
        each.unlink(missing_ok=True)


@contextmanager
def _answer_errors(path: Path | None) -> Iterator[None]:
    """What SQLite and the disk refuse, as a `StorageError` that says what to do."""
    where = path or Path(":memory:")
    try:
        with storage_errors(where):
            yield
    except sqlite3.Error as error:
        raise StorageError(
            t("Kept answers of audits cannot be used: {path}: {reason}.", path=where, reason=error),
            t("Free space on the disk, or end other audits of this model, then run the same command again."),
        ) from error


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
