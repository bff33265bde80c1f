"""Accuracy of complete trainings with each trainer: what makes the comparison of speeds fair.

`python -m benchmarks.training_quality [tuneloop|recipe|trainer ...]` trains anew; the figures are kept in
`benchmarks/quality/training.json`, as the slow ones take ten minutes each. Every model answers the same
10,000 texts that it was not trained on: 2,000 texts would leave differences below two points to chance.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from benchmarks.data import LABELS, TRAIN_ROWS, Sentiment
from benchmarks.measure import seconds
from benchmarks.peers import train_by_recipe, train_with_trainer
from benchmarks.release import WORKSPACE, default_config, sentiment_release
from benchmarks.results import QUALITY
from tuneloop.core.config import TaskConfig
from tuneloop.core.fsio import write_json
from tuneloop.evaluation.paired import compare
from tuneloop.tasks import create_task

PATH = QUALITY / "training.json"
SCORES = WORKSPACE.root / "training_quality"
EPOCHS = 3
TRAINERS = ("tuneloop", "recipe", "trainer")
TEXTS = [text for name in ("test", "left") for text in Sentiment().split(name).texts]
ANSWERS = [label for name in ("test", "left") for label in Sentiment().split(name).labels]


def accuracies(peer: str) -> dict[str, Any]:
    """`quality` of a training benchmark: figures of complete trainings by tuneloop and the peer.

    The peer's complete training is too slow for every run: it is "not measured" until this module is run by itself.
    """
    kept = measure("tuneloop")
    return {
        "train_rows": TRAIN_ROWS, "epochs": EPOCHS, "texts": len(TEXTS), "tuneloop": kept["tuneloop"],
        peer: kept.get(peer, "not measured"),
    }  # fmt: skip


def measure(trainer: str) -> dict[str, Any]:
    """Train to the end with one trainer, seed 0, and keep its figures, and how it differs from tuneloop."""
    print(f"  a complete training with {trainer}, for its accuracy", flush=True)
    scores = sentiment_release().predictor("torch-fp32").scores(TEXTS) if trainer == "tuneloop" else _of_peer(trainer)
    SCORES.mkdir(parents=True, exist_ok=True)
    np.save(SCORES / f"{trainer}.npy", scores)
    found = {path.stem: np.load(path) for path in sorted(SCORES.glob("*.npy"))}
    figures = {name: _figures(each, found.get("tuneloop")) for name, each in found.items()}
    kept = {name: _without_difference(each) for name, each in _kept().items()} | figures
    PATH.parent.mkdir(exist_ok=True)
    write_json(PATH, kept)
    return kept


def _figures(scores: Any, ours: Any) -> dict[str, Any]:
    task = create_task(TaskConfig(type="classification"), {"labels": list(LABELS)})
    metrics = task.metrics(ANSWERS, scores)
    figures: dict[str, Any] = {name: round(metrics[name], 4) for name in ("accuracy", "macro_f1")}
    if ours is None or scores is ours:
        return figures
    said = compare(task, ANSWERS, ours, scores, seed=0, resamples=1000)
    low, high = round(said.low, 4), round(said.high, 4)
    return figures | {"tuneloop_minus_this": round(said.difference, 4), "interval_95": [low, high]}


def _without_difference(figures: dict[str, Any]) -> dict[str, Any]:
    """Of a trainer whose answers are no longer there: what it is compared with may have been trained anew."""
    return {name: each for name, each in figures.items() if name not in ("tuneloop_minus_this", "interval_95")}


def _of_peer(trainer: str) -> Any:
    import torch

    from benchmarks.peers import MODEL, WIDTH
    from tuneloop.models.forward import predict_logits
    from tuneloop.models.source import resolve
    from tuneloop.models.tokenizer import Tokenizer

    train = Sentiment().split("train")
    rate = default_config().training.learning_rate
    if trainer == "recipe":
        model, _ = train_by_recipe(train, epochs=EPOCHS, learning_rate=rate)
    else:
        model, _ = train_with_trainer(train, epochs=EPOCHS)
    with torch.inference_mode():
        logits = torch.from_numpy(predict_logits(model, Tokenizer(resolve(MODEL), WIDTH).encode(TEXTS), "fp32"))
    return torch.softmax(logits, dim=1).numpy()


def _kept() -> dict[str, Any]:
    return dict(json.loads(PATH.read_text(encoding="utf-8"))) if PATH.is_file() else {}


if __name__ == "__main__":
    for name in sys.argv[1:] or TRAINERS:
        print(f"{name}: {seconds(lambda name=name: print(measure(name)[name])):.0f} s")
