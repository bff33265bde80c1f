"""Fine-tuning MiniLM with tuneloop's defaults against those of the Trainer of transformers."""

from __future__ import annotations

from benchmarks.data import Sentiment
from benchmarks.measure import alternate
from benchmarks.peers import train_with_trainer
from benchmarks.results import Result, result
from benchmarks.train_vs_recipe import our_speed
from benchmarks.training_quality import accuracies

TRAINER_ROWS = 480


def run(name: str) -> Result:
    """Samples per second of the training steps."""
    rows = Sentiment(TRAINER_ROWS).split("train")
    sides = alternate(lambda _: our_speed(), lambda _: train_with_trainer(rows)[1])
    return result(
        name, sides, ours="tuneloop tune, defaults",
        peer="transformers.Trainer, defaults (dynamic padding, fp32), batch 16 instead of 8",
        peer_package="transformers", unit="samples/s", quality=accuracies("trainer"),
    )  # fmt: skip
