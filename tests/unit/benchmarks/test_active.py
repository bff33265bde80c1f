"""How labels needed are counted, and that both sides learn alike."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.active import Bench, best, needed, summary
from benchmarks.active_data import Data, Part


def test_labels_needed_are_those_from_which_on_the_mean_stays() -> None:
    found = {"labels": [100, 150, 200, 250], "test": [[0.5, 0.7, 0.6, 0.7], [0.5, 0.7, 0.6, 0.8]]}
    assert needed(found, "test", 0.65) == 250  # 150 was luck
    assert needed(found, "test", 0.6) == 150
    assert needed(found, "test", 0.76) is None
    assert needed(found, "test", 0.1) == 100


def test_the_choice_is_made_on_dev_alone() -> None:
    random = {"labels": [100, 200], "dev": [[0.5, 0.6]], "test": [[0.5, 0.6]]}
    good, lucky = random | {"dev": [[0.6, 0.7]]}, random | {"test": [[0.9, 0.9]], "dev": [[0.5, 0.5]]}
    assert best({name: summary(each, random) for name, each in (("lucky", lucky), ("good", good))}) == "good"


def test_both_sides_begin_with_the_same_model() -> None:
    pytest.importorskip("small_text")
    random = np.random.default_rng(0)
    classes = np.arange(300) % 3
    vectors = np.eye(3, 5)[classes] + random.normal(size=(300, 5)) * 0.7
    part = Part(vectors.astype(np.float32), classes)
    bench = Bench(Data(part, part, part), seeds=1)
    ours, peer = bench.curve("ours", "margin", top=150), bench.curve("peer", "BreakingTies", top=150)
    assert ours["labels"] == peer["labels"] == [100, 150]
    assert ours["test"][0][0] == peer["test"][0][0]
