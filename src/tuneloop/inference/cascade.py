"""Two models as one: a cheap one answers, and leaves what it is not sure of to a strong one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import ModelError
from tuneloop.core.fusion import read_by
from tuneloop.core.i18n import t
from tuneloop.models.flops import from_json

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.inference.predictor import Predictor
    from tuneloop.tasks.base import FloatArray, IntArray, Prediction, Task

CASCADE = "cascade.json"
"""In the folder of a cascade: from what margin on the cheap model answers, and what was measured."""

VERSION = 2
"""Of `cascade.json`; in the first one the threshold was one of the largest probability."""

ENGINE = "cascade"
"""The engine of a cascade: each of both models with its own."""

PARTS = ("cheap", "strong")
"""Folders of a cascade, each with a whole release."""

TASKS = ("classification", "pair")
"""Tasks whose answers say how sure they are: one class of several."""


class Cascade:
    """A `ModelHandle`: equal inputs are computed once by each model.

    Args:
        cheap: answers everything.
        strong: answers anew what the cheap one is not sure of.
        threshold: from which margin (see `margins`) the cheap model's answer counts.
        name: a short name for tables.
    """

    knowledge = None
    abstainer = None
    has_vectors = False
    cost = None
    """What a text costs is a matter of each part."""
    has_rules = False

    def __init__(self, cheap: Any, strong: Any, *, threshold: float, name: str) -> None:
        self.cheap, self.strong, self.threshold, self.name = cheap, strong, threshold, name

    @property
    def task(self) -> Task:
        """The task of both."""
        return self.strong.task  # type: ignore[no-any-return]

    @property
    def modalities(self) -> tuple[str, ...]:
        """What both read."""
        return read_by(self.strong)

    @property
    def parts(self) -> tuple[Any, Any]:
        """Both models."""
        return self.cheap, self.strong

    @property
    def flops(self) -> float:
        """Operations that the texts needed which either has read."""
        return float(sum(getattr(part, "flops", 0.0) for part in self.parts))

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        """Probabilities of the model that answers each input, (n, classes)."""
        scores: FloatArray = self.cheap.scores(inputs)
        unsure = self._unsure(scores)
        if len(unsure):
            scores[unsure] = self.strong.scores([inputs[row] for row in unsure])
        return scores

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """One prediction per input, in order."""
        found: list[Prediction] = self.cheap.predict(inputs)
        if not found:
            return found
        scores = np.array([[*each.probabilities.values()] for each in found], np.float32)
        unsure = self._unsure(scores)
        if len(unsure):
            answers = self.strong.predict([inputs[row] for row in unsure])
            for row, answer in zip(unsure, answers, strict=True):
                found[row] = answer
        return found

    def _unsure(self, scores: FloatArray) -> IntArray:
        """The rows that the strong model answers anew."""
        return np.flatnonzero(margins(scores) < self.threshold)

    def truncated(self, inputs: Sequence[Input]) -> Any:
        """Whether something of each input is not read by the strong model, bool, (n,)."""
        return self.strong.truncated(inputs)

    def count_tokens(self, inputs: Sequence[Input]) -> Any:
        """Tokens that the strong model would read of each input, (n,)."""
        return self.strong.count_tokens(inputs)

    def mended(self, inputs: Sequence[Input]) -> list[Input]:
        """The inputs as the strong model reads them."""
        return list(self.strong.mended(inputs))

    def close(self) -> None:
        """Let go of both models; no answers after this."""
        self.cheap.close()
        self.strong.close()


def margins(scores: FloatArray) -> FloatArray:
    """How far the likeliest class of each row is ahead of the next, from probabilities (n, classes); in [0, 1].

    With three or more classes it tells better than the largest probability where a strong model would answer otherwise:
    at 0.5 it matters whether the next class has 0.45 or 0.05 (`benchmarks.cascade`). With two both are alike.
    """
    ordered = np.sort(scores, axis=1)
    found: FloatArray = ordered[:, -1] - ordered[:, -2]
    return found


def is_cascade(folder: Path) -> bool:
    """Whether a release's folder is that of a cascade."""
    return (folder / CASCADE).is_file()


def read_cascade(folder: Path) -> dict[str, Any]:
    """What `cascade.json` says.

    Raises:
        ModelError: if it is damaged.
    """
    path = folder / CASCADE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        known = found["version"] == VERSION
        complete = isinstance(found["threshold"], float) and all(found[part]["engine"] for part in PARTS)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _damaged(path, error) from None
    if not known or not complete:
        raise _damaged(path, "threshold" if known else f"version {found['version']}")
    return dict(found)


def open_cascade(folder: Path, engine: str = ENGINE) -> Cascade:
    """The cascade in a release's folder.

    Args:
        engine: for both models; `ENGINE` is what each of them was released with.

    Raises:
        ModelError: if a file is missing or damaged.
    """
    found = read_cascade(folder)
    cheap, strong = (_open(folder / part, found[part], engine) for part in PARTS)
    return Cascade(cheap, strong, threshold=found["threshold"], name=f"{folder.name} ({engine})")


def _open(folder: Path, about: dict[str, Any], engine: str) -> Predictor:
    from tuneloop.inference.predictor import open_predictor

    opened = open_predictor(folder, engine=about["engine"] if engine == ENGINE else engine)
    opened.cost = from_json(about.get("flops"))
    return opened


def _damaged(path: Path, error: object) -> ModelError:
    return ModelError(
        t("{path} cannot be read: {error}", path=path, error=error),
        t("Restore the folder from a copy, or make the cascade again: tuneloop cascade CHEAP STRONG"),
    )
