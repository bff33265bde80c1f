"""Fine-tuning MiniLM with tuneloop's defaults against the recipe of most tutorials."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.data import Sentiment
from benchmarks.measure import alternate
from benchmarks.peers import train_by_recipe
from benchmarks.release import default_config
from benchmarks.results import Result, result
from benchmarks.training_quality import accuracies
from tuneloop.core.paths import Workspace

OUR_ROWS = 800
"""An epoch of 50 steps: each epoch sees short and long batches in the same proportion."""

RECIPE_ROWS = 192


def run(name: str) -> Result:
    """Samples per second of the training steps."""
    rows, rate = Sentiment(RECIPE_ROWS).split("train"), default_config().training.learning_rate
    sides = alternate(lambda _: our_speed(), lambda _: train_by_recipe(rows, learning_rate=rate)[1])
    return result(
        name, sides, ours="tuneloop tune, defaults", peer="pad to 128, fp32, batch 16, plain PyTorch loop, AdamW",
        peer_package="torch", unit="samples/s", quality=accuracies("recipe"),
    )  # fmt: skip


def our_speed(rows: int = OUR_ROWS) -> float:
    """Samples per second of the steps of one epoch."""
    from tuneloop.training.run import tune

    with TemporaryDirectory() as folder:
        config = default_config(epochs=1, report_to=[])
        run = tune(config, snapshot=Sentiment(rows), workspace=Workspace(Path(folder)), quiet=True)
        return float(run.info["samples_per_s"])
