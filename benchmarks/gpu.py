"""Fine-tuning MiniLM on one GPU in bf16, tuneloop's defaults against the Trainer of transformers."""

from __future__ import annotations

from benchmarks.data import Sentiment
from benchmarks.measure import alternate
from benchmarks.peers import train_with_trainer
from benchmarks.results import Result, result
from benchmarks.train_vs_recipe import our_speed

ROWS = 4000


def run(name: str) -> Result:
    """Samples per second of the training steps."""
    rows = Sentiment(ROWS).split("train")
    sides = alternate(lambda _: our_speed(ROWS), lambda _: train_with_trainer(rows, gpu=True)[1])
    return result(
        name, sides, ours="tuneloop tune, defaults, bf16 on the GPU",
        peer="transformers.Trainer, defaults, bf16 on the GPU, batch 16 instead of 8", peer_package="transformers",
        unit="samples/s", quality={"what": "the same texts and the same number of epochs"},
    )  # fmt: skip
