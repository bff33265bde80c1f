"""Peak memory of a whole tuning process against one that uses the Trainer, on the same batches.

`python -m benchmarks.train_memory ours|trainer BATCH` is one such process; it prints its peak in MB.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.data import Sentiment
from benchmarks.measure import alternate
from benchmarks.peers import WIDTH, train_with_trainer
from benchmarks.release import default_config
from benchmarks.results import HERE, Result, result
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.models.device import peak_memory_bytes

ROWS = 480
BATCH = {"train_memory_vs_trainer": 32, "train_memory_vs_trainer_at_16": 16}
"""Texts per batch of each benchmark: tuneloop's default, and the faster one of the Trainer."""


def run(name: str) -> Result:
    """Peak resident memory, each repetition in a new process."""
    size = BATCH[name]
    sides = alternate(lambda _: _in_new_process("ours", size), lambda _: _in_new_process("trainer", size))
    return result(
        name, sides, ours="tuneloop tune, defaults, with evaluation and checkpoint",
        peer="transformers.Trainer, defaults, with evaluation", peer_package="transformers", unit="MB",
        quality={"what": f"the same {ROWS // size} batches of {size} texts in one order, then the same dev split"},
        smaller_is_better=True,
    )  # fmt: skip


def _in_new_process(side: str, size: int) -> float:
    command = [sys.executable, "-m", "benchmarks.train_memory", side, str(size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE.parent)
    return float(done.stdout.split()[-1])


def _tune(size: int) -> None:
    from tuneloop.training.run import tune

    with TemporaryDirectory() as folder:
        tune(
            default_config(epochs=1, batch_size=size, report_to=[]),
            snapshot=Sentiment(ROWS),
            workspace=Workspace(Path(folder)),
            quiet=True,
        )


def _batches(size: int) -> Examples:
    """The training examples in the order in which tuneloop takes them."""
    import numpy as np

    from tuneloop.data.batches import training_batches
    from tuneloop.models.source import resolve
    from tuneloop.models.tokenizer import Tokenizer

    config, rows = default_config(), Sentiment(ROWS).split("train")
    lengths = Tokenizer(resolve(config.model.source), WIDTH).encode(rows.inputs).lengths
    order = np.concatenate(training_batches(lengths, batch_size=size, seed=config.seed, epoch=0)).tolist()
    return replace(
        rows,
        ids=[rows.ids[n] for n in order],
        texts=[rows.texts[n] for n in order],
        labels=[rows.labels[n] for n in order],
    )


if __name__ == "__main__":
    side, size = sys.argv[1], int(sys.argv[2])
    if side == "ours":
        _tune(size)
    else:
        train_with_trainer(_batches(size), batch_size=size, in_order=True, dev=Sentiment().split("dev"))
    print(peak_memory_bytes("cpu") / 1024**2)
