"""Accuracy of complete trainings with each trainer: what makes the comparison of speeds fair.

`python -m benchmarks.training_quality [tuneloop|recipe|trainer ...]` measures again; the figures are
kept in `benchmarks/quality/training.json`, as the slow ones take ten minutes each.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks.data import LABELS, TRAIN_ROWS, Sentiment
from benchmarks.measure import seconds
from benchmarks.peers import train_by_recipe, train_with_trainer
from benchmarks.release import default_config, sentiment_release
from benchmarks.results import QUALITY
from tuneloop.core.fsio import write_json

PATH = QUALITY / "training.json"
EPOCHS = 3
TRAINERS = ("tuneloop", "recipe", "trainer")


def accuracies(peer: str) -> dict[str, Any]:
    """`quality` of a training benchmark: figures of complete trainings by tuneloop and the peer.

    The peer's complete training is too slow for every run: it is "not measured" until this module is run by itself.
    """
    kept = measure("tuneloop")
    return {"rows": TRAIN_ROWS, "epochs": EPOCHS, "tuneloop": kept["tuneloop"], peer: kept.get(peer, "not measured")}


def measure(trainer: str) -> dict[str, Any]:
    """Train to the end with one trainer, seed 0, and keep the figures on the test split."""
    print(f"  a complete training with {trainer}, for its accuracy", flush=True)
    kept = _kept() | {trainer: _of_tuneloop() if trainer == "tuneloop" else _of_peer(trainer)}
    PATH.parent.mkdir(exist_ok=True)
    write_json(PATH, kept)
    return kept


def _of_tuneloop() -> dict[str, float]:
    predictor, test = sentiment_release().predictor("torch-fp32"), Sentiment().split("test")
    return _rounded(predictor.task.metrics(test.labels, predictor.scores(test.inputs)))


def _of_peer(trainer: str) -> dict[str, float]:
    import torch

    from benchmarks.peers import MODEL, WIDTH
    from tuneloop.core.config import TaskConfig
    from tuneloop.models.source import resolve
    from tuneloop.models.tokenizer import Tokenizer
    from tuneloop.tasks import create_task
    from tuneloop.training.loop import predict_logits

    data = Sentiment()
    train, test = data.split("train"), data.split("test")
    rate = default_config().training.learning_rate
    if trainer == "recipe":
        model, _ = train_by_recipe(train, epochs=EPOCHS, learning_rate=rate)
    else:
        model, _ = train_with_trainer(train, epochs=EPOCHS)
    task = create_task(TaskConfig(type="classification"), {"labels": list(LABELS)})
    with torch.inference_mode():
        logits = predict_logits(model, Tokenizer(resolve(MODEL), WIDTH).encode(test.inputs), "fp32")
    return _rounded(task.metrics(test.labels, task.scores(logits)))


def _rounded(metrics: dict[str, float]) -> dict[str, float]:
    return {name: round(metrics[name], 4) for name in ("accuracy", "macro_f1")}


def _kept() -> dict[str, Any]:
    return dict(json.loads(PATH.read_text(encoding="utf-8"))) if PATH.is_file() else {}


if __name__ == "__main__":
    for name in sys.argv[1:] or TRAINERS:
        print(f"{name}: {seconds(lambda name=name: print(measure(name)[name])):.0f} s")
